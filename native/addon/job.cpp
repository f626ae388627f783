#include "job.hpp"

#include <algorithm>
#include <thread>

#include "napi.hpp"

namespace kronroot::addon {

Job::Job(napi_env env, std::shared_ptr<Environment> environment, Call call)
    : environment_(std::move(environment)), call_(std::move(call)), reports_(call_.report_count()) {
  require(env, napi_create_promise(env, &deferred_, &promise_), "promise");
}

void Job::run() noexcept { outcome_ = call_.run(&cancelled_, reports_.data()); }

void Job::settle(napi_env env) {
  call_.end();
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  // A worker that is being terminated refuses JavaScript values: then nobody waits for the promise either.
  try {
    if (outcome_.code != KR_OK) {
      napi_reject_deferred(env, deferred_, make_error(env, Failure::name(outcome_.code), outcome_.message));
    } else {
      kr_report* reports = nullptr;
      const napi_value buffer = call_.make_reports(env, &reports);
      std::copy(reports_.begin(), reports_.end(), reports);
      napi_resolve_deferred(env, deferred_, buffer);
    }
  } catch (const PendingException&) {
  } catch (const std::exception&) {
  }
  napi_close_handle_scope(env, scope);
}

Dispatcher& Dispatcher::instance() {
  static Dispatcher& dispatcher = *std::make_unique<Dispatcher>().release();
  return dispatcher;
}

void Dispatcher::push(std::shared_ptr<Job> job) {
  constexpr int most_threads = 4;
  const std::lock_guard lock(mutex_);
  if (idle_ <= static_cast<int>(queue_.size()) && threads_ < most_threads) {
    try {
      std::thread([this] { work(); }).detach();
      ++threads_;
    } catch (const std::system_error&) {
      if (threads_ == 0) throw Failure(Failure::internal, "no thread could be started for asynchronous calls");
    }
  }
  queue_.push_back(std::move(job));
  pushed_.notify_one();
}

int64_t Dispatcher::withdraw(const Environment& environment) {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(
      std::erase_if(queue_, [&](const std::shared_ptr<Job>& job) { return &job->environment() == &environment; }));
}

void Dispatcher::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    pushed_.wait(lock, [&] { return !queue_.empty(); });
    --idle_;
    std::shared_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job->run();
    Environment& environment = job->environment();
    const std::shared_ptr<Environment> hold = environment.shared_from_this();
    hold->finished(std::move(job));
    lock.lock();
  }
}

}  // namespace kronroot::addon
