#include "dispatcher.hpp"

#include <algorithm>
#include <thread>

#include "environment.hpp"
#include "failure.hpp"
#include "job.hpp"

namespace kronroot::addon {

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
