#include "job.hpp"

#include <cstdio>

#include "napi.hpp"

namespace kronroot::addon {

Job::Job(napi_env env, std::shared_ptr<Environment> environment) : environment_(std::move(environment)) {
  require(env, napi_create_promise(env, &deferred_, &promise_), "promise");
}

void Job::fail(const char* code, const char* message) {
  code_ = code;
  std::snprintf(message_, sizeof message_, "%s", message);
}

void Job::run() noexcept {
  try {
    work(&cancelled_);
  } catch (const Failure& failure) {
    fail(failure.code(), failure.what());
  } catch (const std::bad_alloc&) {
    fail(Failure::out_of_memory, "the host ran out of memory");
  } catch (const std::exception& error) {
    fail(Failure::internal, error.what());
  }
}

void Job::settle(napi_env env) {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) == napi_ok) {
    // A worker that is being terminated refuses JavaScript values: then nobody waits for the promise either.
    try {
      if (code_ != nullptr) {
        napi_reject_deferred(env, deferred_, make_error(env, code_, message_));
      } else {
        napi_resolve_deferred(env, deferred_, value(env));
      }
    } catch (const PendingException&) {
    } catch (const std::exception&) {
    }
    napi_close_handle_scope(env, scope);
  }
  end(env);
}

}  // namespace kronroot::addon
