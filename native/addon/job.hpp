// Work off the JavaScript thread, and the promise that waits for it.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>

#include "environment.hpp"

namespace kronroot::addon {

class Job {
 public:
  // JavaScript thread. Makes the promise.
  Job(napi_env env, std::shared_ptr<Environment> environment);
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  napi_value promise() const { return promise_; }  // valid in the handle scope of the constructor

  // JavaScript thread, once it is queued: marks the tensors as in use.
  virtual void begin() {}
  // Dispatcher thread.
  void run() noexcept;
  // JavaScript thread, after run(): resolves with value() or rejects.
  void settle(napi_env env);
  // Any thread.
  void cancel() { __atomic_store_n(&cancelled_, 1, __ATOMIC_RELAXED); }

  Environment& environment() const { return *environment_; }
  uint32_t number = 0;

 protected:
  // Dispatcher thread. May throw Failure, with which the promise rejects; `cancelled` is set to 1 by cancel().
  virtual void work(const int32_t* cancelled) = 0;
  // JavaScript thread: what the promise resolves with.
  virtual napi_value value(napi_env env) = 0;
  // JavaScript thread, last: lets go of all that begin() and the constructor took.
  virtual void end(napi_env) {}

 private:
  void fail(const char* code, const char* message);

  std::shared_ptr<Environment> environment_;
  napi_deferred deferred_ = nullptr;
  napi_value promise_ = nullptr;
  int32_t cancelled_ = 0;
  const char* code_ = nullptr;  // null: the work was done
  char message_[512] = "";
};

}  // namespace kronroot::addon
