#include "grid.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace simt {
namespace {

uint64_t number_of(const char* variable, uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// A launch that is under way.
class Launch {
 public:
  Launch(const std::function<void()>& kernel, const LaunchShape& shape) : kernel_(kernel), shape_(shape) {}

  int64_t count() const { return shape_.blocks.x * shape_.blocks.y * shape_.blocks.z; }
  // Takes blocks until there are none.
  void work() {
    static const uint64_t order = number_of("KRONROOT_SIMT_SEED", 0);
    static thread_local Block& block = *new Block;  // NOLINT: threads of the pool never end
    for (int64_t i = next_++; i < count() && !has_failed_; i = next_++) {
      const int64_t x = i % shape_.blocks.x, rest = i / shape_.blocks.x;
      std::string report = block.run(kernel_, shape_, {x, rest % shape_.blocks.y, rest / shape_.blocks.y}, order);
      if (report.empty()) continue;
      const std::lock_guard lock(mutex_);
      if (!has_failed_.exchange(true)) outcome = {block.wrong(), std::move(report)};
    }
  }
  Outcome outcome;

 private:
  const std::function<void()>& kernel_;
  const LaunchShape& shape_;
  std::atomic<int64_t> next_{0};
  std::atomic<bool> has_failed_{false};
  std::mutex mutex_;
};

// Helpers of the thread that launches.
class Pool {
 public:
  explicit Pool(int helpers) : helpers_(helpers) {
    for (int i = 0; i < helpers; ++i) std::thread([this] { help(); }).detach();
  }
  void run(Launch& launch) {
    {
      const std::lock_guard lock(mutex_);
      launch_ = &launch;
      ++generation_;
      busy_ = helpers_;
    }
    has_work_.notify_all();
    launch.work();
    std::unique_lock lock(mutex_);
    is_done_.wait(lock, [&] { return busy_ == 0; });
    launch_ = nullptr;
  }
  int helpers() const { return helpers_; }

 private:
  void help() {
    uint64_t seen = 0;
    for (;;) {
      Launch* launch = nullptr;
      {
        std::unique_lock lock(mutex_);
        has_work_.wait(lock, [&] { return generation_ != seen; });
        seen = generation_;
        launch = launch_;
      }
      launch->work();
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) is_done_.notify_one();
    }
  }
  const int helpers_;
  std::mutex mutex_;
  std::condition_variable has_work_, is_done_;
  Launch* launch_ = nullptr;
  uint64_t generation_ = 0;
  int busy_ = 0;
};

}  // namespace

Outcome run_grid(const std::function<void()>& kernel, const LaunchShape& shape) {
  static const auto threads =
      static_cast<int>(std::max<uint64_t>(1, number_of("KRONROOT_SIMT_THREADS", std::thread::hardware_concurrency())));
  static Pool& pool = *new Pool(threads - 1);  // NOLINT: its threads end with the process
  Launch launch(kernel, shape);
  if (launch.count() == 1 || pool.helpers() == 0) {
    launch.work();
  } else {
    pool.run(launch);
  }
  return launch.outcome;
}

}  // namespace simt
