// Calls that ask for devices and their properties.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "../launch.hpp"
#include "../memory.hpp"
#include "context.hpp"
#include "engine.hpp"

using simt::DeviceContext;
using simt::give;

struct simt_pool {};

namespace {

constexpr int multiprocessors = 4;

}  // namespace

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  const simt::Faults faults = DeviceContext::instance().faults();
  if (!faults.has_driver) return give(cudaErrorInsufficientDriver);
  if (!faults.has_device) return give(cudaErrorNoDevice);
  *count = 1;
  return give(cudaSuccess);
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = DeviceContext::instance().faults().has_driver ? 13000 : 0;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int ordinal) { return give(ordinal == 0 ? cudaSuccess : cudaErrorInvalidDevice); }
cudaError_t cudaGetDevice(int* ordinal) {
  *ordinal = 0;
  return give(cudaSuccess);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  const int architecture = DeviceContext::instance().faults().architecture;
  std::snprintf(properties->name, sizeof properties->name, "emulated SIMT device");
  properties->totalGlobalMem = simt::Memory::instance().capacity();
  properties->major = architecture / 10;
  properties->minor = architecture % 10;
  properties->multiProcessorCount = multiprocessors;
  return give(cudaSuccess);
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  const int architecture = DeviceContext::instance().faults().architecture;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = multiprocessors;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = architecture / 10;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = architecture % 10;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(simt::most_shared_bytes);
      break;
  }
  return give(cudaSuccess);
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  static simt_pool only;
  *pool = &only;
  return give(cudaSuccess);
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return give(cudaSuccess); }
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  *static_cast<uint64_t*>(value) = simt::Memory::instance().used();
  return give(cudaSuccess);
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) { return give(cudaSuccess); }
cudaError_t cudaDeviceSynchronize() {
  simt::Engine::instance().wait_for_all();
  return simt::give_after_waiting(cudaSuccess);
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  DeviceContext::instance().faults();
  const simt::Memory& memory = simt::Memory::instance();
  *total = memory.capacity();
  *free = *total - std::min(*total, memory.used());
  return give(cudaSuccess);
}
