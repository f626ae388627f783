// The threads of the process that run jobs.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

namespace kronroot::addon {

class Environment;
class Job;

// A few threads of our own, so that libuv's pool (files, DNS) is never occupied; inside a call the backend's pool does
// the work. One per process and never destroyed: no thread is joined while the process exits.
class Dispatcher {
 public:
  static Dispatcher& instance();
  void push(std::shared_ptr<Job> job);
  // Takes the queued jobs of `environment` back; how many there were.
  int64_t withdraw(const Environment& environment);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable pushed_;
  std::deque<std::shared_ptr<Job>> queue_;
  int threads_ = 0;
  int idle_ = 0;
};

}  // namespace kronroot::addon
