// Streams, events and graphs.
#include <cuda_runtime.h>

#include <chrono>
#include <memory>
#include <utility>

#include "context.hpp"
#include "engine.hpp"

using simt::DeviceContext;
using simt::Engine;
using simt::give;
using simt::give_after_waiting;

namespace {

// A call that may not be made of a stream under capture ends the capture.
bool breaks_capture(cudaStream_t stream) {
  const std::lock_guard lock(Engine::instance().mutex());
  if (stream->capture == nullptr) return false;
  stream->capture->is_valid = false;
  return true;
}

}  // namespace

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = Engine::instance().create_stream();
  return give(cudaSuccess);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Engine& engine = Engine::instance();
  if (stream == nullptr || !engine.is_stream(stream)) return give(cudaErrorInvalidResourceHandle);
  engine.destroy(stream);
  return give(cudaSuccess);
}
cudaError_t cudaStreamSynchronize(cudaStream_t given) {
  const cudaStream_t stream = Engine::instance().resolve(given);
  if (!Engine::instance().is_stream(stream)) return give(cudaErrorInvalidResourceHandle);
  if (breaks_capture(stream)) return give(cudaErrorStreamCaptureUnsupported);
  Engine::instance().wait_for(stream);
  return give_after_waiting(cudaSuccess);
}
cudaError_t cudaStreamQuery(cudaStream_t given) {
  const cudaStream_t stream = Engine::instance().resolve(given);
  if (breaks_capture(stream)) return give(cudaErrorStreamCaptureUnsupported);
  return Engine::instance().is_idle(stream) ? give_after_waiting(cudaSuccess) : give(cudaErrorNotReady);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t given, cudaEvent_t event, unsigned) {
  Engine& engine = Engine::instance();
  const cudaStream_t stream = engine.resolve(given);
  std::shared_ptr<simt::Recording> recording;
  {
    const std::lock_guard lock(engine.mutex());
    if (event->captured_in != nullptr) {
      // The order of capture is an order of the graph, so that joining it is enough.
      if (stream->capture != nullptr && stream->capture != event->captured_in) return give(cudaErrorInvalidValue);
      stream->capture = event->captured_in;
      return give(cudaSuccess);
    }
    if (stream->capture != nullptr) return give(cudaErrorInvalidValue);
    recording = event->latest;
  }
  if (recording != nullptr) engine.submit_wait(stream, std::move(recording));
  return give(cudaSuccess);
}
cudaError_t cudaLaunchHostFunc(cudaStream_t given, cudaHostFn_t function, void* argument) {
  Engine& engine = Engine::instance();
  return give(engine.submit(engine.resolve(given), [=] {
    if (!DeviceContext::instance().is_lost()) function(argument);
  }));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = std::make_unique<simt_event>().release();
  (*event)->has_timing = (flags & cudaEventDisableTiming) == 0;
  return give(cudaSuccess);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::unique_ptr<simt_event> gone(event);
  return give(cudaSuccess);
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t given) {
  Engine& engine = Engine::instance();
  const cudaStream_t stream = engine.resolve(given);
  auto recording = std::make_shared<simt::Recording>();
  {
    const std::lock_guard lock(engine.mutex());
    event->captured_in = stream->capture;
    if (stream->capture != nullptr) return give(cudaSuccess);
    event->latest = recording;
  }
  return give(engine.submit(stream, [recording] { Engine::instance().finish(*recording); }));
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  {
    const std::lock_guard lock(Engine::instance().mutex());
    if (event->captured_in != nullptr) return give(cudaErrorStreamCaptureUnsupported);
    if (event->latest != nullptr && !event->latest->is_done) return give(cudaErrorNotReady);
  }
  return give_after_waiting(cudaSuccess);
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::shared_ptr<simt::Recording> recording;
  {
    const std::lock_guard lock(Engine::instance().mutex());
    if (event->captured_in != nullptr) return give(cudaErrorStreamCaptureUnsupported);
    recording = event->latest;
  }
  if (recording != nullptr) Engine::instance().wait_for(*recording);
  return give_after_waiting(cudaSuccess);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  const std::lock_guard lock(Engine::instance().mutex());
  if (!from->has_timing || !to->has_timing || from->latest == nullptr || to->latest == nullptr) {
    return give(cudaErrorInvalidResourceHandle);
  }
  if (!from->latest->is_done || !to->latest->is_done) return give(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(to->latest->at - from->latest->at).count();
  return give(cudaSuccess);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t given, cudaStreamCaptureMode) {
  const std::lock_guard lock(Engine::instance().mutex());
  // The default stream cannot be captured.
  if (given == nullptr || given->capture != nullptr) return give(cudaErrorStreamCaptureUnsupported);
  given->capture = std::make_shared<simt_graph>();
  given->is_origin = true;
  return give(cudaSuccess);
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const std::lock_guard lock(Engine::instance().mutex());
  const bool is_active = stream != nullptr && stream->capture != nullptr;
  *status = !is_active                  ? cudaStreamCaptureStatusNone
            : stream->capture->is_valid ? cudaStreamCaptureStatusActive
                                        : cudaStreamCaptureStatusInvalidated;
  return give(cudaSuccess);
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  const std::lock_guard lock(Engine::instance().mutex());
  if (stream == nullptr || stream->capture == nullptr || !stream->is_origin) return give(cudaErrorInvalidValue);
  const std::shared_ptr<simt_graph> captured = stream->capture;
  Engine::instance().leave_capture(captured.get());
  stream->is_origin = false;
  if (!captured->is_valid) return give(cudaErrorStreamCaptureInvalidated);
  *graph = std::make_unique<simt_graph>(*captured).release();
  return give(cudaSuccess);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = std::make_unique<simt_graph_exec>().release();
  (*exec)->nodes = std::make_shared<const std::vector<std::function<void()>>>(graph->nodes);
  return give(cudaSuccess);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t given) {
  Engine& engine = Engine::instance();
  return give(engine.submit(engine.resolve(given), [nodes = exec->nodes] {
    for (const std::function<void()>& node : *nodes) node();
  }));
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  const std::unique_ptr<simt_graph> gone(graph);
  return give(cudaSuccess);
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  const std::unique_ptr<simt_graph_exec> gone(exec);
  return give(cudaSuccess);
}
