// The context of the emulated device: its faults, and the error that it is lost by.
#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "../control.hpp"

namespace simt {

class DeviceContext {
 public:
  static DeviceContext& instance();

  void restart(const Faults& faults);
  // Follows KRONROOT_SIMT_FAULTS.
  Faults faults();

  // Work is lost from here on. A hidden error is told by the next call that synchronises.
  void lose(cudaError_t error, const std::string& report, bool is_hidden);
  bool is_lost() const { return error_.load() != cudaSuccess; }
  // The error that calls return; those that synchronise see the hidden one too.
  cudaError_t told() const { return is_hidden_ ? cudaSuccess : error_.load(); }
  cudaError_t tell() {
    is_hidden_ = false;
    return error_.load();
  }
  std::string report() const;

  // Whether the next allocation or launch is the K-th.
  bool next_allocation_fails();
  enum class LaunchFault { none, at_once, late };
  LaunchFault next_launch();
  int64_t allocations() const { return allocations_; }
  int64_t launches() const { return launches_; }

 private:
  mutable std::mutex mutex_;
  Faults faults_;
  std::string script_;
  std::string report_;
  std::atomic<cudaError_t> error_{cudaSuccess};
  std::atomic<bool> is_hidden_{false};
  std::atomic<int64_t> allocations_{0}, launches_{0};
};

// What a call of the runtime returns: its own error, or that of the lost context. cudaGetLastError remembers it.
cudaError_t give(cudaError_t error);
// The same of a call that has waited for the device.
cudaError_t give_after_waiting(cudaError_t error);

}  // namespace simt
