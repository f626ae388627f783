#include "operation_job.hpp"

#include <algorithm>

#include "napi.hpp"

namespace kronroot::addon {

OperationJob::OperationJob(napi_env env, std::shared_ptr<Environment> environment, Call call)
    : Job(env, std::move(environment)), call_(std::move(call)), reports_(call_.report_count()) {}

void OperationJob::work(const int32_t* cancelled) {
  if (!call_.device().has_own_memory()) {
    call_.run(cancelled, reports_.data());
    return;
  }
  if (reports_.empty()) {
    call_.run(cancelled, nullptr);
    call_.device().synchronize();
    return;
  }
  const Memory reports(call_.device().shared_from_this(), call_.report_bytes(), call_.name());
  call_.run(cancelled, static_cast<kr_report*>(reports.data()));
  reports.download(reports_.data());
}

napi_value OperationJob::value(napi_env env) {
  kr_report* reports = nullptr;
  const napi_value buffer = call_.make_reports(env, &reports);
  std::copy(reports_.begin(), reports_.end(), reports);
  return buffer;
}

}  // namespace kronroot::addon
