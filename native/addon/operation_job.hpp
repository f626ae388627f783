// An op off the JavaScript thread.
#pragma once

#include <vector>

#include "call.hpp"
#include "job.hpp"

namespace kronroot::addon {

// Resolves with the ArrayBuffer of reports (undefined for ops without) when results and reports are there, on devices
// with memory of their own too.
class OperationJob final : public Job {
 public:
  OperationJob(napi_env env, std::shared_ptr<Environment> environment, Call call);
  void begin() override { call_.begin(); }

 private:
  void work(const int32_t* cancelled) override;
  napi_value value(napi_env env) override;
  void end(napi_env) override { call_.end(); }

  Call call_;
  std::vector<kr_report> reports_;
};

}  // namespace kronroot::addon
