#include "device.hpp"

#include <cstdio>
#include <memory>
#include <new>

#include "../core/check.hpp"
#include "errors.hpp"
#include "op.hpp"

namespace kronroot::cuda {
namespace {

// What open() says of an error before there is a device, and what to do.
kr_code no_device(const kr_call* call, cudaError_t error) {
  cudaGetLastError();
  switch (error) {
    case cudaErrorInsufficientDriver:
      return fail(
          call, KR_NO_DEVICE,
          "no NVIDIA driver, or one older than CUDA 13.0 needs: install driver 580 or newer (nvidia-smi shows which)");
    case cudaErrorNoDevice:
      return fail(call, KR_NO_DEVICE, "the NVIDIA driver sees no device: check nvidia-smi and CUDA_VISIBLE_DEVICES");
    default:
      return fail(call, KR_NO_DEVICE, "the CUDA runtime does not start: %s (%s)", cudaGetErrorString(error),
                  cudaGetErrorName(error));
  }
}

}  // namespace

kr_code open(const kr_call* call, const kr_device_options* given, kr_device** result) {
  const kr_device_options options = given == nullptr ? kr_device_options{} : *given;
  *result = nullptr;
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count)) return no_device(call, error);
  if (options.ordinal < 0 || options.ordinal >= count) {
    return fail(call, KR_NO_DEVICE, "ordinal: the driver shows %d devices, 0 to %d; got %d", count, count - 1,
                options.ordinal);
  }
  std::unique_ptr<kr_device> device(new (std::nothrow) kr_device);
  if (device == nullptr) return fail(call, KR_OUT_OF_MEMORY, "no memory for a device");
  device->ordinal = options.ordinal;
  cudaDeviceProp properties{};
  if (const cudaError_t error = cudaSetDevice(options.ordinal)) return no_device(call, error);
  if (const cudaError_t error = cudaGetDeviceProperties(&properties, options.ordinal)) return no_device(call, error);
  device->compute_capability = 10 * properties.major + properties.minor;
  device->multiprocessors = properties.multiProcessorCount;
  device->most_recorded_bytes = properties.totalGlobalMem / 16;
  std::snprintf(device->name, sizeof device->name, "%.127s", properties.name);
  if (device->compute_capability < 80) {
    return fail(call, KR_NO_DEVICE, "%s has compute capability %d.%d: 8.0 (Ampere) or newer is needed", device->name,
                properties.major, properties.minor);
  }
  if (const cudaError_t error =
          cudaDeviceGetAttribute(&device->shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, options.ordinal)) {
    return no_device(call, error);
  }
  // Freed memory stays in the pool of the device: allocations are as cheap as in an allocator of our own.
  cudaMemPool_t pool = nullptr;
  uint64_t keep_everything = ~uint64_t{0};
  if (const cudaError_t error = cudaDeviceGetDefaultMemPool(&pool, options.ordinal)) return no_device(call, error);
  if (const cudaError_t error = cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_everything)) {
    return no_device(call, error);
  }
  device->stream = static_cast<cudaStream_t>(options.stream);
  if (device->stream == nullptr) {
    if (const cudaError_t error = cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking)) {
      return no_device(call, error);
    }
    device->owns_stream = true;
  }
  *result = device.release();
  return KR_OK;
}

// On a lost device every call of the runtime fails, and there is nothing to give back.
void close(kr_device* closed) {
  if (closed == nullptr) return;
  const std::unique_ptr<kr_device> device(closed);
  cudaSetDevice(device->ordinal);
  device->graphs.clear(device->stream);
  for (const auto& [name, table] : device->tables) cudaFreeAsync(table, device->stream);
  cudaStreamSynchronize(device->stream);
  if (device->owns_stream) cudaStreamDestroy(device->stream);
  cudaGetLastError();
}

kr_code info(const kr_call* call, kr_device_info* info) {
  kr_device& device = *call->device;
  *info = kr_device_info{};
  std::snprintf(info->name, sizeof info->name, "%s", device.name);
  std::snprintf(info->isa, sizeof info->isa, "sm_%d", device.compute_capability);
  info->threads = device.multiprocessors;
  info->bytes_allocated = device.bytes_allocated;
  info->stream = device.stream;
  Op op(call, "info");
  std::size_t free = 0, total = 0;
  if (!op.failed()) op.check(cudaMemGetInfo(&free, &total));
  info->bytes_free = static_cast<int64_t>(free);
  info->bytes_total = static_cast<int64_t>(total);
  return op.finish();
}

kr_code allocate(const kr_call* call, int64_t bytes, void** data) {
  *data = nullptr;
  if (bytes < 0) return fail(call, KR_BAD_OPTION, "bytes: expected 0 or more, got %lld", static_cast<long long>(bytes));
  if (bytes == 0) return KR_OK;
  kr_device& device = *call->device;
  Op op(call, "allocate");
  if (op.failed()) return op.finish();
  const cudaError_t error = cudaMallocAsync(data, static_cast<std::size_t>(bytes), device.stream);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    *data = nullptr;
    op.fail(out_of_memory(call, bytes));
    return op.finish();
  }
  op.check(error);
  if (op.failed()) {
    *data = nullptr;
  } else {
    device.bytes_allocated += bytes;
  }
  return op.finish();
}

// Ordered after everything enqueued so far; on a lost device there is nothing left to give back.
void release(kr_device* device, void* data, int64_t bytes) {
  if (data == nullptr) return;
  const std::lock_guard lock(device->mutex);
  device->bytes_allocated -= bytes;
  if (device->lost != cudaSuccess) return;
  cudaSetDevice(device->ordinal);
  cudaFreeAsync(data, device->stream);
  cudaGetLastError();
}

// From pageable memory: the runtime has taken the bytes when the call returns.
kr_code upload(const kr_call* call, void* to, const void* from_host, int64_t bytes) {
  Op op(call, "upload");
  if (bytes > 0 && !op.failed()) {
    op.check(cudaMemcpyAsync(to, from_host, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice, op.stream()));
  }
  return op.finish();
}

// Without the mutex: a copy to pageable memory waits for the stream, and others may enqueue meanwhile.
kr_code download(const kr_call* call, void* to_host, const void* from, int64_t bytes) {
  cudaStream_t stream = nullptr;
  {
    Op op(call, "download");
    if (bytes == 0 || op.failed()) return op.finish();
    stream = op.stream();
  }
  cudaEvent_t arrived = nullptr;
  cudaError_t error = cudaEventCreateWithFlags(&arrived, cudaEventDisableTiming);
  if (error == cudaSuccess) {
    error = cudaMemcpyAsync(to_host, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, stream);
    if (error == cudaSuccess) error = cudaEventRecord(arrived, stream);
    if (error == cudaSuccess) error = cudaEventSynchronize(arrived);
    cudaEventDestroy(arrived);
  }
  if (error == cudaSuccess) return KR_OK;
  const std::lock_guard lock(call->device->mutex);
  return failure(call, *call->device, error, "download");
}

kr_code synchronize(const kr_call* call) {
  cudaStream_t stream = nullptr;
  {
    Op op(call, "synchronize");
    if (op.failed()) return op.finish();
    stream = op.stream();
  }
  const cudaError_t error = cudaStreamSynchronize(stream);
  if (error == cudaSuccess) return KR_OK;
  const std::lock_guard lock(call->device->mutex);
  return failure(call, *call->device, error, "synchronize");
}

}  // namespace kronroot::cuda
