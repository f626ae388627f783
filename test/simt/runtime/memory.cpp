// Allocations and copies. Addresses and accounts are settled by the call, the bytes when the stream comes to it.
#include "../memory.hpp"

#include <cuda_runtime.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "context.hpp"
#include "engine.hpp"

using simt::DeviceContext;
using simt::Engine;
using simt::give;
using simt::Memory;

namespace {

// Memory of the host that the device may read and write while the host goes on.
class PinnedMemory {
 public:
  static PinnedMemory& instance() {
    static PinnedMemory& memory = *new PinnedMemory;  // NOLINT: needed until the process ends
    return memory;
  }
  void add(void* address, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    ranges_[static_cast<unsigned char*>(address)] = bytes;
  }
  bool remove(void* address) {
    const std::lock_guard lock(mutex_);
    return ranges_.erase(static_cast<unsigned char*>(address)) > 0;
  }
  bool holds(const void* address) {
    const std::lock_guard lock(mutex_);
    auto* const at = static_cast<unsigned char*>(const_cast<void*>(address));
    auto next = ranges_.upper_bound(at);
    if (next == ranges_.begin()) return false;
    --next;
    return at < next->first + next->second;
  }

 private:
  std::mutex mutex_;
  std::map<unsigned char*, std::size_t> ranges_;
};

bool is_capturing(cudaStream_t stream) {
  const std::lock_guard lock(Engine::instance().mutex());
  if (stream->capture == nullptr) return false;
  stream->capture->is_valid = false;
  return true;
}

// The host's address of what a copy touches, when the stream comes to it; the context is lost where it is not there.
unsigned char* resolve(const void* address, std::size_t bytes, const char* call) {
  if (!simt::is_device_address(address)) return static_cast<unsigned char*>(const_cast<void*>(address));
  unsigned char* const data = Memory::resolve(address, bytes);
  if (data == nullptr) {
    DeviceContext::instance().lose(cudaErrorIllegalAddress, std::string(call) + ": access outside of device memory",
                                   false);
  }
  return data;
}

bool is_right(const void* address, std::size_t bytes, bool may_be_host, bool may_be_device) {
  if (simt::is_device_address(address)) return may_be_device && Memory::instance().is_allocated(address, bytes);
  return may_be_host && address != nullptr;
}

}  // namespace

cudaError_t cudaMalloc(void** address, std::size_t bytes) {
  *address = nullptr;
  DeviceContext& context = DeviceContext::instance();
  const bool fails = context.next_allocation_fails();
  if (context.told() != cudaSuccess) return give(cudaSuccess);
  if (!fails) *address = Memory::instance().allocate(bytes);
  return give(*address == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}
cudaError_t cudaFree(void* address) {
  Engine::instance().wait_for_all();
  const bool is_lost = DeviceContext::instance().tell() != cudaSuccess;
  if (address == nullptr || is_lost) return give(cudaSuccess);
  return give(Memory::instance().release(address) ? cudaSuccess : cudaErrorInvalidValue);
}
// In a capture both are refused: graphs of the emulator hold no allocations.
cudaError_t cudaMallocAsync(void** address, std::size_t bytes, cudaStream_t given) {
  *address = nullptr;
  const cudaStream_t stream = Engine::instance().resolve(given);
  if (is_capturing(stream)) return give(cudaErrorStreamCaptureUnsupported);
  DeviceContext& context = DeviceContext::instance();
  const bool fails = context.next_allocation_fails();
  if (context.told() != cudaSuccess) return give(cudaSuccess);
  void* const memory = fails ? nullptr : Memory::instance().reserve(bytes);
  if (memory == nullptr) return give(cudaErrorMemoryAllocation);
  *address = memory;
  return give(Engine::instance().submit(stream, [memory] { Memory::instance().make_valid(memory); }));
}
cudaError_t cudaFreeAsync(void* address, cudaStream_t given) {
  const cudaStream_t stream = Engine::instance().resolve(given);
  if (is_capturing(stream)) return give(cudaErrorStreamCaptureUnsupported);
  if (address == nullptr || DeviceContext::instance().told() != cudaSuccess) return give(cudaSuccess);
  if (!Memory::instance().give_back(address)) return give(cudaErrorInvalidValue);
  return give(Engine::instance().submit(stream, [address] { Memory::instance().make_invalid(address); }));
}
cudaError_t cudaHostAlloc(void** address, std::size_t bytes, unsigned) {
  *address = std::malloc(bytes);
  if (*address == nullptr) return give(cudaErrorMemoryAllocation);
  PinnedMemory::instance().add(*address, bytes);
  return give(cudaSuccess);
}
cudaError_t cudaFreeHost(void* address) {
  if (address == nullptr) return give(cudaSuccess);
  Engine::instance().wait_for_all();
  if (!PinnedMemory::instance().remove(address)) return give(cudaErrorInvalidValue);
  std::free(address);
  return give(cudaSuccess);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t given) {
  if (bytes == 0 || DeviceContext::instance().told() != cudaSuccess) return give(cudaSuccess);
  const bool any = kind == cudaMemcpyDefault;
  const bool to_device = any || kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = any || kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (!is_right(to, bytes, any || !to_device, to_device) || !is_right(from, bytes, any || !from_device, from_device)) {
    return give(cudaErrorInvalidValue);
  }
  Engine& engine = Engine::instance();
  const cudaStream_t stream = engine.resolve(given);
  bool is_captured = false;
  {
    const std::lock_guard lock(engine.mutex());
    is_captured = stream->capture != nullptr;
  }
  // From pageable memory the bytes are taken before the call returns.
  std::shared_ptr<std::vector<unsigned char>> taken;
  if (!is_captured && !simt::is_device_address(from) && !PinnedMemory::instance().holds(from)) {
    const auto* const begin = static_cast<const unsigned char*>(from);
    taken = std::make_shared<std::vector<unsigned char>>(begin, begin + bytes);
  }
  const cudaError_t error = engine.submit(stream, [=] {
    if (DeviceContext::instance().is_lost()) return;
    unsigned char* const target = resolve(to, bytes, "cudaMemcpyAsync");
    const unsigned char* const source = taken != nullptr ? taken->data() : resolve(from, bytes, "cudaMemcpyAsync");
    if (target != nullptr && source != nullptr) std::memcpy(target, source, bytes);
  });
  // Into pageable memory the call returns when they have arrived.
  if (is_captured || simt::is_device_address(to) || PinnedMemory::instance().holds(to)) return give(error);
  engine.wait_for(stream);
  return simt::give_after_waiting(error);
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t given) {
  if (bytes == 0 || DeviceContext::instance().told() != cudaSuccess) return give(cudaSuccess);
  if (!is_right(to, bytes, false, true)) return give(cudaErrorInvalidValue);
  Engine& engine = Engine::instance();
  return give(engine.submit(engine.resolve(given), [=] {
    if (DeviceContext::instance().is_lost()) return;
    unsigned char* const target = resolve(to, bytes, "cudaMemsetAsync");
    if (target != nullptr) std::memset(target, value, bytes);
  }));
}
