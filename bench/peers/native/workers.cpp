#include "workers.hpp"

#include <algorithm>

namespace kronroot::bench {

Workers::Workers(int threads) {
  for (int thread = 1; thread < threads; ++thread) threads_.emplace_back([this, thread] { serve(thread); });
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(std::int64_t items, const std::function<void(std::int64_t, int)>& job) {
  if (alone_) {
    for (std::int64_t item = 0; item < items; ++item) job(item, 0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    job_ = &job;
    items_ = items;
    next_ = 0;
    busy_ = static_cast<int>(threads_.size());
    ++round_;
  }
  wake_.notify_all();
  take(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
}

void Workers::serve(int thread) {
  std::int64_t served = 0;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || round_ != served; });
      if (stop_) return;
      served = round_;
    }
    take(thread);
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) done_.notify_one();
  }
}

void Workers::take(int thread) {
  // A few chunks a thread: small enough to balance, large enough that tiny matrices do not queue for the counter.
  const std::int64_t chunk = std::max<std::int64_t>(1, items_ / (8 * threads()));
  for (;;) {
    const std::int64_t first = next_.fetch_add(chunk);
    if (first >= items_) return;
    for (std::int64_t item = first; item < std::min(first + chunk, items_); ++item) (*job_)(item, thread);
  }
}

}  // namespace kronroot::bench
