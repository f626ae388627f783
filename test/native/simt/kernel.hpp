// Kernels of the emulator's own tests: one block, run here and now.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "native/cuda/device.cuh"
#include "test/native/expect.hpp"
#include "test/simt/block.hpp"

namespace kronroot::test {

// Orders of the threads that every instruction is tested in; 0 is the order of their indices.
inline constexpr uint64_t orders = 4;

// What the emulator reports of the block; empty: nothing.
inline std::string report_of(int threads, std::size_t shared_bytes, const std::function<void()>& kernel,
                             uint64_t order = 0) {
  static simt::Block& block = *new simt::Block;  // NOLINT: its stacks are costly
  return block.run(kernel, {{}, threads, shared_bytes}, {0, 0, 0}, order);
}

// Runs it in every order; nothing may be reported.
inline void run_block(int threads, std::size_t shared_bytes, const std::function<void()>& kernel) {
  for (uint64_t order = 0; order < orders; ++order) {
    const std::string report = report_of(threads, shared_bytes, kernel, order);
    if (!report.empty()) report_failure(__FILE__, __LINE__, report);
  }
}

// Memory of the emulated device with this content.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& content) : count_(content.size()) {
    data_ = simt::Memory::instance().allocate(count_ * sizeof(T));
    std::memcpy(host(), content.data(), count_ * sizeof(T));
  }
  ~DeviceArray() { simt::Memory::instance().release(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  cuda::Global<T> global() const { return cuda::Global<T>(static_cast<T*>(data_)); }
  T operator[](std::size_t i) const { return host()[i]; }

 private:
  T* host() const { return reinterpret_cast<T*>(simt::Memory::instance().resolve(data_, count_ * sizeof(T))); }
  std::size_t count_;
  void* data_;
};

}  // namespace kronroot::test
