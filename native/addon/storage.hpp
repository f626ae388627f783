// Device and memory without any JavaScript: what tensors point to and what calls in flight keep alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "../include/kronroot/backend.h"

namespace kronroot::addon {

// An open device of a backend. Closed when the last tensor and the last call that use it are gone.
class Device {
 public:
  // Throws Failure with the backend's message.
  Device(const kr_backend& backend, const kr_device_options& options);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const kr_backend& backend() const { return backend_; }
  kr_device* handle() const { return handle_; }
  kr_device_info info() const;

  // Live storages, those that only calls in flight still hold included.
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  int64_t tensors() const { return tensors_.load(std::memory_order_relaxed); }

 private:
  friend class Storage;
  const kr_backend& backend_;
  kr_device* handle_ = nullptr;
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> tensors_{0};
};

// Memory of one tensor, allocated by the backend and given back when the last holder lets go, on whatever thread.
class Storage {
 public:
  // Uninitialised. Throws Failure (ERR_OUT_OF_MEMORY) with the backend's message.
  Storage(std::shared_ptr<Device> device, int64_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  const std::shared_ptr<Device>& device() const { return device_; }

  void upload(int64_t offset, const void* from, int64_t bytes);
  void download(void* to) const;
  // Repeats the `element` (element_bytes long) over [offset, offset + bytes).
  void fill(int64_t offset, int64_t bytes, const void* element, int64_t element_bytes);

  // Asynchronous calls in flight that read or write this memory. Touched by the JavaScript thread of the tensor only:
  // raised when the call is submitted, lowered when its promise settles.
  int32_t readers = 0;
  int32_t writers = 0;

 private:
  std::shared_ptr<Device> device_;
  void* data_ = nullptr;
  int64_t bytes_;
};

}  // namespace kronroot::addon
