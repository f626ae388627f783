// Device and memory without any JavaScript: what tensors point to and what calls in flight keep alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "../include/kronroot/backend.h"

namespace kronroot::addon {

// Throws the Failure of an entry that returned `code`; the message may be empty.
[[noreturn]] void raise(kr_code code, const char* what, const char* message);

// An open device of a backend. Closed when the last tensor and the last call that use it are gone.
class Device : public std::enable_shared_from_this<Device> {
 public:
  // Throws Failure with the backend's message.
  Device(const kr_backend& backend, const kr_device_options& options);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const kr_backend& backend() const { return backend_; }
  kr_device* handle() const { return handle_; }
  kr_device_info info() const;

  // Whether its memory is not the host's, and ops only enqueue (the last comment of kr_backend).
  bool has_own_memory() const { return backend_.synchronize != nullptr; }
  // Waits for everything enqueued so far. Any thread.
  void synchronize() const;

  // Live storages, those that only calls in flight still hold included.
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  int64_t tensors() const { return tensors_.load(std::memory_order_relaxed); }

 private:
  friend class Memory;
  friend class Storage;
  const kr_backend& backend_;
  kr_device* handle_ = nullptr;
  std::atomic<int64_t> bytes_{0};
  std::atomic<int64_t> tensors_{0};
};

// Runs one entry of the backend's table on the device and turns a code other than KR_OK into a Failure, whose message
// `what` begins. `cancel` may be null.
template <typename Entry>
void demand(const Device& device, const char* what, const int32_t* cancel, Entry entry) {
  char message[448] = "";
  const kr_call call{device.handle(), cancel, message, sizeof message};
  const kr_code code = entry(&call);
  if (code != KR_OK) raise(code, what, message);
}

// Memory of a device. What was allocated is given back with the object, on whatever thread.
class Memory {
 public:
  // Uninitialised. Throws Failure (ERR_OUT_OF_MEMORY) with the backend's message, which `what` begins.
  Memory(std::shared_ptr<Device> device, int64_t bytes, const char* what);
  // Memory of somebody else, who keeps it as long as this object is in use.
  Memory(std::shared_ptr<Device> device, void* borrowed, int64_t bytes);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  bool is_borrowed() const { return borrowed_; }
  const std::shared_ptr<Device>& device() const { return device_; }

  void upload(int64_t offset, const void* from, int64_t bytes);
  // Returns when the bytes are there, and with them everything that was enqueued before.
  void download(void* to) const { download(0, to, bytes_); }
  void download(int64_t offset, void* to, int64_t bytes) const;

 private:
  std::shared_ptr<Device> device_;
  void* data_ = nullptr;
  int64_t bytes_;
  bool borrowed_;
};

// Memory of one tensor, counted by its device.
class Storage : public Memory {
 public:
  Storage(std::shared_ptr<Device> device, int64_t bytes);
  Storage(std::shared_ptr<Device> device, void* borrowed, int64_t bytes);
  ~Storage();

  // Repeats the `element` (element_bytes long) over [offset, offset + bytes).
  void fill(int64_t offset, int64_t bytes, const void* element, int64_t element_bytes);

  // Asynchronous calls in flight that read or write this memory. Touched by the JavaScript thread of the tensor only:
  // raised when the call is submitted, lowered when its promise settles.
  int32_t readers = 0;
  int32_t writers = 0;

 private:
  void count(int64_t sign);
};

}  // namespace kronroot::addon
