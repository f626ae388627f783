#include "op.hpp"

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
  for (void* each : scratch_) has_error = cudaFreeAsync(each, device_.stream) != cudaSuccess || has_error;
  if (has_error) cudaGetLastError();  // else the next launch would be taken to have failed
}

void* Op::allocate(int64_t count, std::size_t element_bytes) {
  if (failed()) return nullptr;
  void* memory = nullptr;
  const std::size_t bytes = static_cast<std::size_t>(count) * element_bytes;
  if (bytes == 0) return nullptr;
  const cudaError_t error = cudaMallocAsync(&memory, bytes, device_.stream);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    code_ = out_of_memory(call_, static_cast<int64_t>(bytes));
    return nullptr;
  }
  check(error);
  if (failed()) return nullptr;
  scratch_.push_back(memory);
  return memory;
}

// From pageable memory: the runtime has taken the bytes when the copy returns.
const void* Op::keep_table(const std::string& name, const std::vector<unsigned char>& bytes) {
  void* memory = allocate(static_cast<int64_t>(bytes.size()), 1);
  if (memory == nullptr) return nullptr;
  check(cudaMemcpyAsync(memory, bytes.data(), bytes.size(), cudaMemcpyHostToDevice, device_.stream));
  if (failed()) return nullptr;
  scratch_.pop_back();  // not given back with the op
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
