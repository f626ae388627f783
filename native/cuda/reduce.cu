// One number for each of many arrays, in f64 (reduce in ops.h). A block takes a chunk: its thread t the elements
// t w .. t w + w of every 256 w, w those of a 16-byte access, aligned or not, so that the order of summation depends on
// the count alone. Arrays of several chunks have their partial results put together, in the order of the chunks, by a
// second launch with one warp an array. Shared memory: a number a warp. Scratch: a number for each of those chunks.
#include <cmath>
#include <cstdint>
#include <new>
#include <vector>

#include "../core/check.hpp"
#include "array_table.cuh"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

constexpr int chunk_warps = chunk_threads / warp_size;

// Sum of x_i y_i; products of f32 are exact in f64.
template <typename T>
struct Dot {
  __device__ __forceinline__ static double with_element(double result, T x, T y) {
    return std::fma(static_cast<double>(x), static_cast<double>(y), result);
  }
  __device__ __forceinline__ static double together(double a, double b) { return a + b; }
};

// max |x_i|, NaN where there is one.
template <typename T>
struct Largest {
  __device__ __forceinline__ static double with_element(double result, T x, T) {
    return together(result, std::abs(static_cast<double>(x)));
  }
  __device__ __forceinline__ static double together(double a, double b) { return a > b || a != a ? a : b; }
};

template <typename T>
struct Reduced {
  int64_t count;
  Global<const T> x, y;     // y is x where the op reads one array
  Global<double> partials;  // one a chunk; for an array of one chunk its result
  bool is_aligned;
};

template <typename Reduction>
__device__ __forceinline__ double together_in_warp(double value) {
  for (int flip = warp_size / 2; flip > 0; flip /= 2) value = Reduction::together(value, shuffle_xor(value, flip));
  return value;
}

template <typename Reduction, typename T>
__device__ __forceinline__ double of_chunk(const Reduced<T>& array, int64_t first, int64_t end) {
  constexpr int width = elements_of_vector<T>;
  // A result for each place in the vector: they do not wait for each other.
  Vector<double, width> results{};
  for (int64_t i = first + thread_index() * width; i < end; i += chunk_threads * width) {
    if (array.is_aligned && i + width <= end) {
      const Vector<T, width> x = load_vector<width>(array.x, i), y = load_vector<width>(array.y, i);
      for (int k = 0; k < width; ++k) results[k] = Reduction::with_element(results[k], x[k], y[k]);
    } else {
      for (int k = 0; k < width; ++k) {
        if (i + k < end) results[k] = Reduction::with_element(results[k], array.x[i + k], array.y[i + k]);
      }
    }
  }
  double result = results[0];
  for (int k = 1; k < width; ++k) result = Reduction::together(result, results[k]);
  return result;
}

template <typename T, typename Reduction>
__global__ void __launch_bounds__(chunk_threads) reduce_chunks(const __grid_constant__ ArrayTable<Reduced<T>> table) {
  SharedArena arena;
  const Shared<double> of_warps = arena.take<double>(chunk_warps);
  const int a = table.array_of(block_index());
  const Reduced<T>& array = table.entries[a];
  const int64_t chunk = block_index() - table.first_chunk[a], first = chunk * chunk_elements;
  const int64_t end = array.count - first < chunk_elements ? array.count : first + chunk_elements;
  const double of_warp = together_in_warp<Reduction>(of_chunk<Reduction>(array, first, end));
  if (lane_index() == 0) of_warps[warp_index()] = of_warp;
  sync_block();
  if (thread_index() != 0) return;
  double result = of_warps[0];
  for (int w = 1; w < chunk_warps; ++w) result = Reduction::together(result, of_warps[w]);
  array.partials[chunk] = result;
}

struct Partials {
  int64_t count;
  Global<const double> values;
  Global<double> result;
};

// One warp an array.
template <typename Reduction>
__global__ void put_together(const __grid_constant__ ArrayTable<Partials> table) {
  const Partials& array = table.entries[block_index()];
  double result = 0;
  for (int64_t i = lane_index(); i < array.count; i += warp_size) {
    result = Reduction::together(result, array.values[i]);
  }
  result = together_in_warp<Reduction>(result);
  if (lane_index() == 0) array.result[0] = result;
}

int64_t chunks_of(int64_t count) { return (count + chunk_elements - 1) / chunk_elements; }

template <typename T, typename Reduction>
void enqueue(Op& op, const kr_reduce_array* arrays, int64_t count, double* results) {
  std::vector<Partials> long_arrays;
  int64_t chunks = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t own = chunks_of(arrays[i].count);
    if (own > 1) chunks += own;
  }
  double* next = op.scratch<double>(chunks);
  if (op.failed()) return;
  const auto entry_of = [&](int64_t i) {
    const kr_reduce_array& array = arrays[i];
    const T* const x = static_cast<const T*>(array.x);
    const T* const y = array.y == nullptr ? x : static_cast<const T*>(array.y);
    Reduced<T> entry{array.count, Global<const T>(x), Global<const T>(y), Global<double>(results + i),
                     is_vector_aligned(x) && is_vector_aligned(y)};
    if (const int64_t own = chunks_of(array.count); own > 1) {
      entry.partials = Global<double>(next);
      long_arrays.push_back({own, Global<const double>(next), Global<double>(results + i)});
      next += own;
    }
    return entry;
  };
  for_each_table<Reduced<T>>(count, 1, entry_of, [&](const ArrayTable<Reduced<T>>& table, int64_t) {
    SharedArena arena;
    arena.take<double>(chunk_warps);
    launch<reduce_chunks<T, Reduction>>(
        op, {.blocks = {table.chunks()}, .threads = chunk_threads, .shared_bytes = arena.bytes()}, table);
  });
  const auto partials_of = [&](int64_t i) { return long_arrays[static_cast<std::size_t>(i)]; };
  const auto put_together_each = [&](const ArrayTable<Partials>& table, int64_t) {
    launch<put_together<Reduction>>(op, {.blocks = {table.count}, .threads = warp_size}, table);
  };
  for_each_table<Partials>(static_cast<int64_t>(long_arrays.size()), 1, partials_of, put_together_each);
}

template <typename T>
void enqueue(Op& op, int32_t kind, const kr_reduce_array* arrays, int64_t count, double* results) {
  kind == KR_REDUCE_DOT ? enqueue<T, Dot<T>>(op, arrays, count, results)
                        : enqueue<T, Largest<T>>(op, arrays, count, results);
}

}  // namespace

kr_code reduce(const kr_call* call, const kr_reduce_options* given, const kr_reduce_array* arrays, int64_t count,
               double* results) try {
  if (const kr_code code = check_reduce(call, given, arrays, count, results)) return code;
  const kr_reduce_options options = given == nullptr ? kr_reduce_options{} : *given;
  Op op(call, "reduce");
  options.dtype == KR_F32 ? enqueue<float>(op, options.kind, arrays, count, results)
                          : enqueue<double>(op, options.kind, arrays, count, results);
  return op.finish();
} catch (const std::bad_alloc&) {
  return fail(call, KR_OUT_OF_MEMORY, "no memory for the list of arrays");
}

}  // namespace kronroot::cuda
