// State of one JavaScript environment (the main thread or one worker): its live tensors and its calls in flight.
#pragma once

#include <node_api.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "storage.hpp"

namespace kronroot::addon {

class DeviceHandle;
class Job;
class TensorHandle;
class UnreadReports;

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  // Makes the state of `env`, owned by the env's instance data, with its cleanup hook.
  static Environment& attach(napi_env env);

  explicit Environment(napi_env env) : env_(env) {}

  // --- devices and tensors; JavaScript thread only ---
  void add(DeviceHandle& device) { devices_.insert(&device); }
  void remove(DeviceHandle& device) { devices_.erase(&device); }
  // The device at this address, which may be anything; null where there is none.
  DeviceHandle* device_at(void* address) const;
  // Returns the tensor's number: 1, 2, ...
  int64_t add(TensorHandle& tensor);
  void remove(const TensorHandle& tensor);
  // Null where there is none (any more).
  TensorHandle* tensor(int64_t number) const;
  // Whether there was ever a tensor of that number.
  bool has_numbered(int64_t number) const { return number >= 1 && number <= last_tensor_; }
  // Memory for a tensor, told to the garbage collector. First lets go of the memory of tensors whose objects were
  // collected: Node runs finalizers only when control returns to the event loop, which a synchronous loop never does.
  std::shared_ptr<Storage> allocate(const std::shared_ptr<Device>& device, int64_t bytes);
  void released(int64_t bytes);
  // The same for the reports of a call, which lie on the device until they are read.
  std::unique_ptr<Memory> allocate_reports(const std::shared_ptr<Device>& device, int64_t bytes, const char* op);
  void add(UnreadReports& reports) { reports_.insert(&reports); }
  void remove(UnreadReports& reports) { reports_.erase(&reports); }
  // The reports at this address, which may be anything; null where there are none.
  UnreadReports* reports_at(void* address) const;
  // Lets go of all the memory on this device, but for what calls in flight hold.
  void drop_memory_of(const Device& device);

  // --- calls ---
  // The ArrayBuffer for the report of a synchronous call with one matrix, and where its kr_report lies: null where
  // JavaScript transferred the buffer away.
  napi_value record(kr_report** report) const;
  // JavaScript thread: hands the job to the dispatcher and returns the number by which cancel() knows it.
  uint32_t submit(std::shared_ptr<Job> job);
  // JavaScript thread: sets the cancel flag; an unknown number (the job has settled) is ignored.
  void cancel(uint32_t number);
  // Dispatcher thread: the job has run; its promise is settled on the JavaScript thread soon.
  void finished(std::shared_ptr<Job> job);

 private:
  void make_record();
  void open_channel();
  // What `make` gives, at most with one sweep before; it takes `bytes`.
  template <typename Make>
  auto swept(int64_t bytes, Make make);
  void sweep();
  void settle_finished();
  // The env goes away: cancels its jobs and waits until none runs.
  void close();

  napi_env env_;
  std::unordered_set<DeviceHandle*> devices_;
  std::unordered_map<int64_t, TensorHandle*> tensors_;  // by number
  int64_t last_tensor_ = 0;
  std::unordered_set<UnreadReports*> reports_;
  napi_ref record_ = nullptr;  // until the env ends
  int64_t allocated_since_sweep_ = 0;

  napi_threadsafe_function channel_ = nullptr;
  std::unordered_map<uint32_t, std::shared_ptr<Job>> jobs_;  // JavaScript thread only
  uint32_t last_number_ = 0;

  std::mutex mutex_;  // guards what follows
  std::condition_variable drained_;
  std::deque<std::shared_ptr<Job>> finished_;
  int64_t active_ = 0;  // handed to the dispatcher and not yet back
  bool closing_ = false;
};

}  // namespace kronroot::addon
