#include "pool.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

namespace kronroot::cpu {
namespace {

// A loop in progress. It lives on the stack of its caller, who leaves only when no worker is inside.
class RunningLoop {
 public:
  RunningLoop(int64_t count, const int32_t* cancel, Body body) : count_(count), cancel_(cancel), body_(body) {}

  // Takes indices until none is left; called by every thread that takes part.
  void run() {
    for (;;) {
      if (stopped_.load(std::memory_order_relaxed)) return;
      const int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= count_) return;
      if (cancel_ != nullptr && __atomic_load_n(cancel_, __ATOMIC_ACQUIRE) != 0) {
        stop(Loop::cancelled);
        return;
      }
      try {
        body_(index);
      } catch (const std::bad_alloc&) {
        stop(Loop::out_of_memory);
        return;
      }
    }
  }

  Loop outcome() const { return outcome_.load(); }

  // Guarded by the pool's mutex.
  int places = 0;   // workers that may still join
  int workers = 0;  // workers inside run()
  std::condition_variable left;

 private:
  void stop(Loop outcome) {
    Loop none = Loop::done;
    outcome_.compare_exchange_strong(none, outcome);
    stopped_.store(true, std::memory_order_relaxed);
  }

  const int64_t count_;
  const int32_t* const cancel_;
  const Body body_;
  std::atomic<int64_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::atomic<Loop> outcome_{Loop::done};
};

class Pool {
 public:
  // The pool is never destroyed: its workers may sleep in it while the process ends.
  static Pool& instance() {
    static Pool& pool = *new Pool;
    return pool;
  }

  void run(RunningLoop& loop, int workers) {
    {
      const std::lock_guard lock(mutex_);
      provide_workers(workers);
      loop.places = std::min(workers, worker_count_);
      if (loop.places > 0) loops_.push_back(&loop);
    }
    if (workers == 1) {
      work_.notify_one();
    } else {
      work_.notify_all();
    }
    loop.run();
    std::unique_lock lock(mutex_);
    std::erase(loops_, &loop);
    loop.left.wait(lock, [&] { return loop.workers == 0; });
  }

 private:
  // Threads are started on demand. Where the system gives no more, the loop makes do with those there are.
  void provide_workers(int wanted) {
    while (worker_count_ < wanted) {
      try {
        std::thread([this] { work(); }).detach();
      } catch (const std::system_error&) {
        return;
      }
      ++worker_count_;
    }
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [&] { return !loops_.empty(); });
      RunningLoop& loop = *loops_.front();
      if (--loop.places == 0) loops_.pop_front();
      ++loop.workers;
      lock.unlock();
      loop.run();
      lock.lock();
      if (--loop.workers == 0) loop.left.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<RunningLoop*> loops_;  // those with places left
  int worker_count_ = 0;
};

}  // namespace

Loop parallel_for(int64_t count, int threads, const int32_t* cancel, Body body) {
  RunningLoop loop(count, cancel, body);
  const int workers = static_cast<int>(std::min<int64_t>(count, threads)) - 1;
  if (workers > 0) {
    try {
      Pool::instance().run(loop, workers);
    } catch (const std::bad_alloc&) {  // no room to enter the loop; nothing has started
      return Loop::out_of_memory;
    }
  } else {
    loop.run();
  }
  return loop.outcome();
}

int available_cores() {
#if defined(__linux__)
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return std::max(1, CPU_COUNT(&cores));
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace kronroot::cpu
