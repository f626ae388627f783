// Streams: queues of work that one thread of the engine takes from, in the order of each stream.
#pragma once

#include <cuda_runtime.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace simt {

// One cudaEventRecord: done when the stream comes to it.
struct Recording {
  bool is_done = false;
  std::chrono::steady_clock::time_point at;
};

struct Task {
  std::function<void()> run;
  std::shared_ptr<Recording> waits_for = nullptr;
};

}  // namespace simt

// What was captured of a stream: its work in order.
struct simt_graph {
  std::vector<std::function<void()>> nodes;
  bool is_valid = true;
};
struct simt_graph_exec {
  std::shared_ptr<const std::vector<std::function<void()>>> nodes;
};
struct simt_stream {
  std::deque<simt::Task> tasks;
  bool is_running = false;
  std::shared_ptr<simt_graph> capture;
  bool is_origin = false;  // of the capture
};
struct simt_event {
  bool has_timing = true;
  std::shared_ptr<simt::Recording> latest;
  std::shared_ptr<simt_graph> captured_in;
};

namespace simt {

class Engine {
 public:
  static Engine& instance();

  // Behind everything that the stream holds; into its graph, where it is captured.
  cudaError_t submit(cudaStream_t stream, std::function<void()> work);
  // Holds the stream back until the event is there.
  void submit_wait(cudaStream_t stream, std::shared_ptr<Recording> recording);
  void finish(Recording& recording);

  void wait_for(cudaStream_t stream);
  void wait_for(const Recording& recording);
  void wait_for_all();
  bool is_idle(cudaStream_t stream);

  cudaStream_t create_stream();
  // After its work.
  void destroy(cudaStream_t stream);
  // The stream of the null handle is one like others.
  cudaStream_t resolve(cudaStream_t stream) { return stream == nullptr ? default_ : stream; }
  bool is_stream(cudaStream_t stream);
  // No stream captures into it any more; the caller holds the mutex.
  void leave_capture(const simt_graph* capture);
  // Guards streams, events and captures.
  std::mutex& mutex() { return mutex_; }

 private:
  Engine();
  void run();
  simt_stream* next_stream();
  bool is_idle_now() const;

  std::mutex mutex_;
  std::condition_variable has_work_, has_finished_;
  std::vector<std::unique_ptr<simt_stream>> streams_;
  std::size_t last_ = 0;
  cudaStream_t default_ = nullptr;
};

}  // namespace simt
