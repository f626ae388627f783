#include "errors.hpp"

#include "../core/check.hpp"

namespace kronroot::cuda {

bool is_sticky(cudaError_t error) {
  switch (error) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

kr_code failure(const kr_call* call, kr_device& device, cudaError_t error, const char* op) {
  cudaGetLastError();
  if (error == cudaErrorMemoryAllocation) return out_of_memory(call, 0);
  if (error == cudaErrorNoKernelImageForDevice) {
    return fail(call, KR_NO_DEVICE,
                "no kernel image: the plugin holds no machine code for sm_%d (%s), met by %s; build it for this "
                "architecture with npm run build:cuda",
                device.compute_capability, device.name, op);
  }
  if (!is_sticky(error)) {
    return fail(call, KR_INTERNAL, "%s (%s), met by %s; launched last: %s", cudaGetErrorString(error),
                cudaGetErrorName(error), op, device.last_op[0] == '\0' ? "nothing" : device.last_op);
  }
  // What is said first stays: a thread that waited meanwhile meets the same error.
  if (device.lost == cudaSuccess) {
    device.lost = error;
    device.lost_message = std::string("the context of the device is lost: ") + cudaGetErrorString(error) + " (" +
                          cudaGetErrorName(error) + "), met by " + op +
                          "; launched last: " + (device.last_op[0] == '\0' ? "nothing" : device.last_op) +
                          ". Restart the process, or go on with open('cpu')";
  }
  return refuse_lost(call, device);
}

kr_code refuse_lost(const kr_call* call, const kr_device& device) {
  if (device.lost == cudaSuccess) return KR_OK;
  return fail(call, KR_DEVICE_LOST, "%s", device.lost_message.c_str());
}

kr_code out_of_memory(const kr_call* call, int64_t bytes) {
  std::size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  return fail(call, KR_OUT_OF_MEMORY, "the device has no %lld bytes to give: %lld of %lld are free",
              static_cast<long long>(bytes), static_cast<long long>(free), static_cast<long long>(total));
}

}  // namespace kronroot::cuda
