// Threads that stay, so that the peer does not pay for starting them in every call.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kronroot::bench {

class Workers {
 public:
  explicit Workers(int threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // job(item, thread) for every item in [0, items), on all threads and the caller's; returns when all are done.
  void run(std::int64_t items, const std::function<void(std::int64_t item, int thread)>& job);
  int threads() const { return static_cast<int>(threads_.size()) + 1; }

  // From now on jobs run on the caller's thread alone, or on all again.
  void set_alone(bool alone) { alone_ = alone; }

 private:
  void serve(int thread);
  void take(int thread);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(std::int64_t, int)>* job_ = nullptr;
  std::int64_t items_ = 0;
  std::atomic<std::int64_t> next_ = 0;
  std::int64_t round_ = 0;
  int busy_ = 0;
  bool stop_ = false;
  bool alone_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kronroot::bench
