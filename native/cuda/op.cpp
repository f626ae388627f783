#include "op.hpp"

#include <algorithm>

#include "errors.hpp"

namespace kronroot::cuda {

Op::Op(const kr_call* call, const char* name) : call_(call), name_(name), device_(*call->device), lock_(device_.mutex) {
  code_ = refuse_lost(call, device_);
  if (failed()) return;
  check(cudaSetDevice(device_.ordinal));
  if (is_cancelled()) code_ = KR_CANCELLED;
}

Op::~Op() {
  bool has_error = false;
  for (const Block& each : scratch_) {
    has_error = cudaFreeAsync(each.memory, device_.stream) != cudaSuccess || has_error;
  }
  if (has_error) cudaGetLastError();  // else the next launch would be taken to have failed
}

void* Op::allocate(int64_t count, std::size_t element_bytes) {
  if (failed()) return nullptr;
  constexpr std::size_t alignment = 256;
  const std::size_t bytes = (static_cast<std::size_t>(count) * element_bytes + alignment - 1) / alignment * alignment;
  if (bytes == 0) return nullptr;
  scratch_bytes_ += bytes;
  most_scratch_bytes_ = std::max(most_scratch_bytes_, scratch_bytes_);
  if (recorded_scratch_ != nullptr && scratch_bytes_ <= recorded_->scratch_bytes) {
    return recorded_scratch_ + scratch_bytes_ - bytes;
  }
  Block* best = nullptr;
  for (Block& each : scratch_) {
    if (each.is_free && each.bytes >= bytes && (best == nullptr || each.bytes < best->bytes)) best = &each;
  }
  if (best != nullptr) {
    best->is_free = false;
    return best->memory;
  }
  void* memory = nullptr;
  const cudaError_t error = cudaMallocAsync(&memory, bytes, device_.stream);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    code_ = out_of_memory(call_, static_cast<int64_t>(bytes));
    return nullptr;
  }
  check(error);
  if (failed()) return nullptr;
  scratch_.push_back({memory, bytes, false});
  return memory;
}

void Op::reuse_since(const Mark& mark) {
  for (std::size_t i = mark.blocks; i < scratch_.size(); ++i) scratch_[i].is_free = true;
  scratch_bytes_ = mark.bytes;
}

bool Op::recalls(const CallKey& key, kr_report** reports, int64_t count) {
  if (failed()) return false;
  if (!device_.owns_stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamIsCapturing(device_.stream, &status));
    if (failed() || status != cudaStreamCaptureStatusNone) return false;
  }
  RecordedCall* const before = device_.graphs.find_or_remember(CallKey(key).add(*reports != nullptr));
  given_reports_ = *reports;
  report_count_ = count;
  if (before == nullptr) {
    recorded_ = &device_.graphs.newest();
    return false;
  }
  if (before->graph != nullptr) {
    device_.last_op = name_;
    check(cudaGraphLaunch(before->graph, device_.stream));
    copy_reports(before->reports);
    return true;
  }
  if (before->stays_eager) return false;
  recorded_scratch_ = static_cast<unsigned char*>(
      device_.graphs.scratch(before->scratch_bytes, device_.most_recorded_bytes, device_.stream));
  if (recorded_scratch_ == nullptr) {
    before->stays_eager = true;
    return false;
  }
  recorded_ = before;
  if (*reports != nullptr) recorded_->reports = *reports = scratch<kr_report>(count);
  return false;
}

void Op::copy_reports(const kr_report* from) {
  if (failed() || given_reports_ == nullptr || from == given_reports_) return;
  check(cudaMemcpyAsync(given_reports_, from, static_cast<std::size_t>(report_count_) * sizeof(kr_report),
                        cudaMemcpyDeviceToDevice, device_.stream));
}

cudaError_t Op::run_steps(cudaStream_t stream) {
  for (const auto& start : steps_) {
    if (const cudaError_t error = start(stream); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

// The steps as a graph of recorded_; false where the runtime does not want to.
bool Op::record() {
  const cudaStream_t recorder = device_.graphs.recorder();
  if (cudaStreamBeginCapture(recorder, cudaStreamCaptureModeRelaxed) != cudaSuccess) return false;
  const cudaError_t error = run_steps(recorder);
  cudaGraph_t graph = nullptr;
  const cudaError_t end = cudaStreamEndCapture(recorder, &graph);
  const bool is_captured = error == cudaSuccess && end == cudaSuccess;
  const bool is_ready = is_captured && cudaGraphInstantiate(&recorded_->graph, graph, 0) == cudaSuccess;
  if (graph != nullptr) cudaGraphDestroy(graph);
  if (!is_ready) recorded_->graph = nullptr;
  return is_ready;
}

kr_code Op::finish() {
  if (failed() || steps_.empty()) return code_;
  device_.last_op = name_;
  if (recorded_ != nullptr && recorded_scratch_ == nullptr) {
    recorded_->scratch_bytes = most_scratch_bytes_ + static_cast<std::size_t>(report_count_ + 8) * sizeof(kr_report);
    recorded_->stays_eager = steps_.size() < GraphCache::fewest_launches;
  }
  bool is_graph = false;
  if (recorded_scratch_ != nullptr) {
    // Blocks of this op's own are gone when the graph is replayed.
    is_graph = scratch_.empty() && record();
    recorded_->stays_eager = !is_graph;
    if (!is_graph) cudaGetLastError();
  }
  check(is_graph ? cudaGraphLaunch(recorded_->graph, device_.stream) : run_steps(device_.stream));
  if (recorded_scratch_ != nullptr) copy_reports(recorded_->reports);
  steps_.clear();
  return code_;
}

// From pageable memory: the runtime has taken the bytes when the copy returns.
const void* Op::keep_table(const std::string& name, const std::vector<unsigned char>& bytes) {
  if (failed()) return nullptr;
  void* memory = nullptr;
  const cudaError_t error = cudaMallocAsync(&memory, bytes.size(), device_.stream);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    code_ = out_of_memory(call_, static_cast<int64_t>(bytes.size()));
    return nullptr;
  }
  check(error);
  if (failed()) return nullptr;
  check(cudaMemcpyAsync(memory, bytes.data(), bytes.size(), cudaMemcpyHostToDevice, device_.stream));
  if (failed()) {
    cudaFreeAsync(memory, device_.stream);
    return nullptr;
  }
  device_.tables.emplace(name, memory);
  return memory;
}

void Op::check(cudaError_t error) {
  if (error == cudaSuccess || failed()) return;
  code_ = failure(call_, device_, error, name_);
}

void Op::fail(kr_code code) {
  if (!failed()) code_ = code;
}

}  // namespace kronroot::cuda
