// The device language on NVIDIA hardware: compute capability 8.0 and up.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

namespace kronroot::cuda {

inline constexpr int warp_size = 32;
inline constexpr uint32_t full_warp = ~0u;

__device__ __forceinline__ int thread_index() { return static_cast<int>(threadIdx.x); }
__device__ __forceinline__ int block_threads() { return static_cast<int>(blockDim.x); }
__device__ __forceinline__ int64_t block_index() { return blockIdx.x; }
__device__ __forceinline__ int block_index_y() { return static_cast<int>(blockIdx.y); }
__device__ __forceinline__ int block_index_z() { return static_cast<int>(blockIdx.z); }
__device__ __forceinline__ int64_t block_count() { return gridDim.x; }
__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) % warp_size; }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x) / warp_size; }
__device__ __forceinline__ int warp_count() { return static_cast<int>(blockDim.x) / warp_size; }

__device__ __forceinline__ void sync_block() { __syncthreads(); }
__device__ __forceinline__ void sync_warp(uint32_t mask = full_warp) { __syncwarp(mask); }
// Of `threads` threads of the block, whole warps, that name the same barrier, 1 to 15.
__device__ __forceinline__ void sync_threads_of(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// In groups of `width` lanes, a power of two.
template <typename T>
__device__ __forceinline__ T shuffle(T value, int from, int width = warp_size, uint32_t mask = full_warp) {
  return __shfl_sync(mask, value, from, width);
}
template <typename T>
__device__ __forceinline__ T shuffle_xor(T value, int flip, int width = warp_size, uint32_t mask = full_warp) {
  return __shfl_xor_sync(mask, value, flip, width);
}
template <typename T>
__device__ __forceinline__ T shuffle_down(T value, int by, int width = warp_size, uint32_t mask = full_warp) {
  return __shfl_down_sync(mask, value, static_cast<unsigned>(by), width);
}
template <typename T>
__device__ __forceinline__ T shuffle_up(T value, int by, int width = warp_size, uint32_t mask = full_warp) {
  return __shfl_up_sync(mask, value, static_cast<unsigned>(by), width);
}
__device__ __forceinline__ uint32_t ballot(bool predicate, uint32_t mask = full_warp) {
  return __ballot_sync(mask, predicate);
}
__device__ __forceinline__ bool any_of_warp(bool predicate, uint32_t mask = full_warp) {
  return __any_sync(mask, predicate) != 0;
}
__device__ __forceinline__ bool all_of_warp(bool predicate, uint32_t mask = full_warp) {
  return __all_sync(mask, predicate) != 0;
}

template <typename T>
class Global {
 public:
  Global() = default;
  __host__ __device__ explicit Global(T* address) : address_(address) {}
  template <typename U>
  requires std::is_same_v<const U, T> __host__ __device__ Global(const Global<U>& other) : address_(other.address()) {}
  __device__ __forceinline__ T& operator[](int64_t i) const { return address_[i]; }
  __host__ __device__ Global operator+(int64_t by) const { return Global(address_ + by); }
  __host__ __device__ T* address() const { return address_; }
  __host__ __device__ explicit operator bool() const { return address_ != nullptr; }

 private:
  T* address_;
};

extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];

// Offsets, not addresses, so that the host can make one as well.
template <typename T>
class Shared {
 public:
  Shared() = default;
  __host__ __device__ Shared(uint32_t offset, int count) : offset_(offset), count_(count) {}
  __device__ __forceinline__ T& operator[](int i) const { return address()[i]; }
  __host__ __device__ Shared operator+(int by) const {
    return Shared(offset_ + static_cast<uint32_t>(by) * static_cast<uint32_t>(sizeof(T)), count_ - by);
  }
  __host__ __device__ int count() const { return count_; }
  template <typename U>
  __host__ __device__ Shared<U> as() const {
    return Shared<U>(offset_, static_cast<int>(static_cast<uint32_t>(count_) * sizeof(T) / sizeof(U)));
  }
  __device__ __forceinline__ T* address() const { return reinterpret_cast<T*>(dynamic_shared_memory + offset_); }

 private:
  uint32_t offset_;
  int count_;
};

class SharedArena {
 public:
  template <typename T>
  __host__ __device__ Shared<T> take(int count) {
    const Shared<T> array(bytes_, count);
    bytes_ += (static_cast<uint32_t>(count) * static_cast<uint32_t>(sizeof(T)) + 15) / 16 * 16;
    return array;
  }
  __host__ __device__ uint32_t bytes() const { return bytes_; }

 private:
  uint32_t bytes_ = 0;
};

// N elements moved by one instruction; their place is aligned to their size.
template <typename T, int N>
struct alignas(sizeof(T) * N) Vector {
  T values[N];
  __host__ __device__ T& operator[](int i) { return values[i]; }
  __host__ __device__ const T& operator[](int i) const { return values[i]; }
};

template <int N, typename T>
__device__ __forceinline__ Vector<std::remove_const_t<T>, N> load_vector(Global<T> from, int64_t i) {
  return *reinterpret_cast<const Vector<std::remove_const_t<T>, N>*>(&from[i]);
}
template <int N, typename T>
__device__ __forceinline__ void store_vector(Global<T> to, int64_t i, const Vector<T, N>& value) {
  *reinterpret_cast<Vector<T, N>*>(&to[i]) = value;
}
template <int N, typename T>
__device__ __forceinline__ Vector<T, N> load_vector(Shared<T> from, int i) {
  return *reinterpret_cast<const Vector<T, N>*>(&from[i]);
}
template <int N, typename T>
__device__ __forceinline__ void store_vector(Shared<T> to, int i, const Vector<T, N>& value) {
  *reinterpret_cast<Vector<T, N>*>(&to[i]) = value;
}

// CUDA's atomics know unsigned long long, not uint64_t.
template <typename T>
__device__ __forceinline__ auto* atomic_address(T* address) {
  if constexpr (std::is_same_v<T, uint64_t>) {
    return reinterpret_cast<unsigned long long*>(address);
  } else {
    return address;
  }
}
// Relaxed; the result is the value before.
template <typename T>
__device__ __forceinline__ T atomic_add(Global<T> to, int64_t i, T value) {
  return static_cast<T>(atomicAdd(atomic_address(&to[i]), value));
}
template <typename T>
__device__ __forceinline__ T atomic_max(Global<T> to, int64_t i, T value) {
  return static_cast<T>(atomicMax(atomic_address(&to[i]), value));
}
template <typename T>
__device__ __forceinline__ T atomic_add(Shared<T> to, int i, T value) {
  return static_cast<T>(atomicAdd(atomic_address(&to[i]), value));
}
template <typename T>
__device__ __forceinline__ T atomic_max(Shared<T> to, int i, T value) {
  return static_cast<T>(atomicMax(atomic_address(&to[i]), value));
}

// IEEE binary16.
struct Half {
  uint16_t bits;
};
// The upper half of a binary32.
struct Bfloat16 {
  uint16_t bits;
};

__device__ __forceinline__ Half to_half(float value) { return {__half_as_ushort(__float2half_rn(value))}; }
__device__ __forceinline__ float to_float(Half value) { return __half2float(__ushort_as_half(value.bits)); }
__device__ __forceinline__ Bfloat16 to_bfloat16(float value) {
  return {__bfloat16_as_ushort(__float2bfloat16_rn(value))};
}
__device__ __forceinline__ float to_float(Bfloat16 value) {
  return __uint_as_float(static_cast<uint32_t>(value.bits) << 16);
}
__device__ __forceinline__ uint32_t to_tf32(float value) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

// Two 16-bit elements in one register, the first in the low half.
template <typename H>
__device__ __forceinline__ uint32_t pack(H low, H high) {
  return static_cast<uint32_t>(low.bits) | static_cast<uint32_t>(high.bits) << 16;
}
template <typename H>
__device__ __forceinline__ H unpack(uint32_t pair, int i) {
  return {static_cast<uint16_t>(pair >> (16 * i))};
}

// D += A B, A 16 x 16, B 16 x 8; fragments as in the PTX ISA. With g = lane / 4 and t = lane % 4:
//   a[0] (g, 2t..2t+1), a[1] (g + 8, 2t..), a[2] (g, 2t + 8..), a[3] (g + 8, 2t + 8..);
//   b[0] (2t..2t+1, g), b[1] (2t + 8.., g);   d[0..1] (g, 2t..2t+1), d[2..3] (g + 8, 2t..2t+1).
template <typename H>
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  if constexpr (std::is_same_v<H, Half>) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}
// A 16 x 8, B 8 x 8 of tf32: a[0] (g, t), a[1] (g + 8, t), a[2] (g, t + 4), a[3] (g + 8, t + 4); b[0] (t, g),
// b[1] (t + 4, g).
__device__ __forceinline__ void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// A 8 x 4, B 4 x 8: a (g, t), b (t, g), d[0..1] (g, 2t..2t+1).
__device__ __forceinline__ void mma_m8n8k4_f64(double (&d)[2], double a, double b) {
  asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
               : "+d"(d[0]), "+d"(d[1])
               : "d"(a), "d"(b));
}

// ldmatrix: 8 x 8 matrix j of 16-bit elements has its rows of 16 bytes at the index that lane 8 j + row passes;
// register j gets elements (l / 4, 2 (l % 4)..) of it, transposed (2 (l % 4).., l / 4).
template <int N, bool is_transposed = false, typename H>
__device__ __forceinline__ void load_matrices(uint32_t (&registers)[N], Shared<H> from, int i) {
  static_assert((N == 1 || N == 2 || N == 4) && sizeof(H) == 2);
  const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(from.address() + i));
  if constexpr (N == 4 && !is_transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(at)
                 : "memory");
  } else if constexpr (N == 4) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(at)
                 : "memory");
  } else if constexpr (N == 2 && !is_transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                 : "=r"(registers[0]), "=r"(registers[1])
                 : "r"(at)
                 : "memory");
  } else if constexpr (N == 2) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                 : "=r"(registers[0]), "=r"(registers[1])
                 : "r"(at)
                 : "memory");
  } else if constexpr (!is_transposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(registers[0]) : "r"(at) : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(registers[0])
                 : "r"(at)
                 : "memory");
  }
}

// Bytes (4, 8 or 16) from global to shared memory, done after wait_for_copies and a barrier; `is_present` false: zeros,
// nothing is read.
template <int Bytes, typename T, typename U>
__device__ __forceinline__ void copy_async(Shared<T> to, int i, Global<U> from, int64_t j, bool is_present = true) {
  static_assert(std::is_same_v<T, std::remove_const_t<U>> && (Bytes == 4 || Bytes == 8 || Bytes == 16));
  const auto at = static_cast<uint32_t>(__cvta_generic_to_shared(to.address() + i));
  const int read = is_present ? Bytes : 0;
  if constexpr (Bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from.address() + j), "r"(read)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(at), "l"(from.address() + j), "n"(Bytes),
                 "r"(read)
                 : "memory");
  }
}
__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// All but the last N groups are done.
template <int N>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

}  // namespace kronroot::cuda
