#include "engine.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "context.hpp"

namespace simt {

Engine& Engine::instance() {
  static Engine& engine = *new Engine;  // NOLINT: its thread ends with the process
  return engine;
}

Engine::Engine() {
  streams_.push_back(std::make_unique<simt_stream>());
  default_ = streams_.front().get();
  std::thread([this] { run(); }).detach();
}

// Streams take turns.
simt_stream* Engine::next_stream() {
  for (std::size_t i = 1; i <= streams_.size(); ++i) {
    const std::size_t at = (last_ + i) % streams_.size();
    simt_stream& stream = *streams_[at];
    if (stream.tasks.empty()) continue;
    const Task& task = stream.tasks.front();
    if (task.waits_for != nullptr && !task.waits_for->is_done) continue;
    last_ = at;
    return &stream;
  }
  return nullptr;
}

void Engine::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    simt_stream* stream = nullptr;
    has_work_.wait(lock, [&] { return (stream = next_stream()) != nullptr; });
    Task task = std::move(stream->tasks.front());
    stream->tasks.pop_front();
    stream->is_running = true;
    lock.unlock();
    if (task.run) task.run();
    task = {};
    lock.lock();
    stream->is_running = false;
    has_finished_.notify_all();
  }
}

cudaError_t Engine::submit(cudaStream_t stream, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stream->capture != nullptr) {
    stream->capture->nodes.push_back(std::move(work));
    return cudaSuccess;
  }
  stream->tasks.push_back({std::move(work)});
  has_work_.notify_one();
  return cudaSuccess;
}

void Engine::submit_wait(cudaStream_t stream, std::shared_ptr<Recording> recording) {
  const std::lock_guard lock(mutex_);
  stream->tasks.push_back({nullptr, std::move(recording)});
  has_work_.notify_one();
}

void Engine::finish(Recording& recording) {
  const std::lock_guard lock(mutex_);
  recording.at = std::chrono::steady_clock::now();
  recording.is_done = true;
}

void Engine::wait_for(cudaStream_t stream) {
  std::unique_lock lock(mutex_);
  has_finished_.wait(lock, [&] { return stream->tasks.empty() && !stream->is_running; });
}

void Engine::wait_for(const Recording& recording) {
  std::unique_lock lock(mutex_);
  has_finished_.wait(lock, [&] { return recording.is_done; });
}

bool Engine::is_idle_now() const {
  return std::all_of(streams_.begin(), streams_.end(),
                     [](const auto& each) { return each->tasks.empty() && !each->is_running; });
}

void Engine::wait_for_all() {
  std::unique_lock lock(mutex_);
  has_finished_.wait(lock, [&] { return is_idle_now(); });
}

bool Engine::is_idle(cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  return stream->tasks.empty() && !stream->is_running;
}

cudaStream_t Engine::create_stream() {
  const std::lock_guard lock(mutex_);
  streams_.push_back(std::make_unique<simt_stream>());
  return streams_.back().get();
}

void Engine::destroy(cudaStream_t stream) {
  std::unique_lock lock(mutex_);
  has_finished_.wait(lock, [&] { return stream->tasks.empty() && !stream->is_running; });
  std::erase_if(streams_, [&](const auto& each) { return each.get() == stream; });
  last_ = 0;
}

void Engine::leave_capture(const simt_graph* capture) {
  for (const auto& each : streams_) {
    if (each->capture.get() == capture) each->capture = nullptr;
  }
}

bool Engine::is_stream(cudaStream_t stream) {
  const std::lock_guard lock(mutex_);
  return std::any_of(streams_.begin(), streams_.end(), [&](const auto& each) { return each.get() == stream; });
}

}  // namespace simt
