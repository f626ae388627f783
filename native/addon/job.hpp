// One asynchronous call, and the threads of the process that run them.
#pragma once

#include <node_api.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "call.hpp"
#include "environment.hpp"

namespace kronroot::addon {

class Job {
 public:
  // JavaScript thread. Makes the promise.
  Job(napi_env env, std::shared_ptr<Environment> environment, Call call);
  napi_value promise() const { return promise_; }  // valid in the handle scope of the constructor

  // JavaScript thread: marks the call's tensors as in use, until settle().
  void begin() { call_.begin(); }
  // Dispatcher thread. Never throws.
  void run() noexcept;
  // JavaScript thread, after run(): resolves with the ArrayBuffer of reports (undefined for ops without) or rejects.
  void settle(napi_env env);
  // Any thread.
  void cancel() { __atomic_store_n(&cancelled_, 1, __ATOMIC_RELAXED); }

  Environment& environment() const { return *environment_; }
  uint32_t number = 0;

 private:
  std::shared_ptr<Environment> environment_;
  Call call_;
  napi_deferred deferred_ = nullptr;
  napi_value promise_ = nullptr;
  int32_t cancelled_ = 0;
  std::vector<kr_report> reports_;
  Outcome outcome_;
};

// A few threads of our own, so that libuv's pool (files, DNS) is never occupied; inside a call the backend's pool does
// the work. One per process and never destroyed: no thread is joined while the process exits.
class Dispatcher {
 public:
  static Dispatcher& instance();
  void push(std::shared_ptr<Job> job);
  // Takes the queued jobs of `environment` back; how many there were.
  int64_t withdraw(const Environment& environment);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable pushed_;
  std::deque<std::shared_ptr<Job>> queue_;
  int threads_ = 0;
  int idle_ = 0;
};

}  // namespace kronroot::addon
