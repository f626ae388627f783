// Errors of the CUDA runtime as return codes of the ABI, with a message that names the op.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "device.hpp"

namespace kronroot::cuda {

// Whether the context is of no use after this error: every later call of the runtime returns it too.
bool is_sticky(cudaError_t error);

// The code for `error`, met in a call of `op`. An error of work that was enqueued earlier shows up at whatever call
// comes next, so the message names the last op before too. A sticky one marks the device as lost. The caller holds
// device.mutex.
kr_code failure(const kr_call* call, kr_device& device, cudaError_t error, const char* op);

// KR_DEVICE_LOST with the message of the first time, where the device is lost; else KR_OK. The caller holds
// device.mutex.
kr_code refuse_lost(const kr_call* call, const kr_device& device);

// KR_OUT_OF_MEMORY: how many bytes were asked for and how many are free.
kr_code out_of_memory(const kr_call* call, int64_t bytes);

}  // namespace kronroot::cuda
