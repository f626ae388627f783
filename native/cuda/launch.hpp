// How kernels are started, when the op is finished: one function, the same source for nvcc and for the emulator.
//
//   launch<scale<float>>(op, {.blocks = {batch}, .threads = 256, .shared_bytes = bytes}, arguments...);
//
// The kernel is a template argument, so that the emulator can list every kernel of the program, run or not.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "op.hpp"

#if !defined(__CUDACC__)
#include <simt/launch.hpp>
#endif

namespace kronroot::cuda {

struct Blocks {
  int64_t x = 1;
  int64_t y = 1;
  int64_t z = 1;
};

struct LaunchShape {
  Blocks blocks;
  int threads = 1;
  std::size_t shared_bytes = 0;
};

// Most blocks along y and z; along x 2^31 - 1.
inline constexpr int64_t most_blocks_yz = 65535;

#if defined(__CUDACC__)

template <auto Kernel, typename... Arguments>
void launch(Op& op, const LaunchShape& shape, const Arguments&... arguments) {
  if (op.failed() || shape.blocks.x == 0 || shape.blocks.y == 0 || shape.blocks.z == 0) return;
  const dim3 blocks(static_cast<unsigned>(shape.blocks.x), static_cast<unsigned>(shape.blocks.y),
                    static_cast<unsigned>(shape.blocks.z));
  op.enqueue([=](cudaStream_t stream) {
    constexpr std::size_t without_asking = 48 * 1024;
    if (shape.shared_bytes > without_asking) {
      const cudaError_t error = cudaFuncSetAttribute(Kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                     static_cast<int>(shape.shared_bytes));
      if (error != cudaSuccess) return error;
    }
    Kernel<<<blocks, static_cast<unsigned>(shape.threads), shape.shared_bytes, stream>>>(arguments...);
    return cudaGetLastError();
  });
}

#else

template <auto Kernel>
const char* name_of_kernel() {
  return __PRETTY_FUNCTION__;
}
template <auto Kernel>
inline const simt::Registration registration{name_of_kernel<Kernel>(), __BASE_FILE__};

template <auto Kernel, typename... Arguments>
void launch(Op& op, const LaunchShape& shape, const Arguments&... arguments) {
  if (op.failed() || shape.blocks.x == 0 || shape.blocks.y == 0 || shape.blocks.z == 0) return;
  const simt::LaunchShape emulated{{shape.blocks.x, shape.blocks.y, shape.blocks.z}, shape.threads, shape.shared_bytes};
  op.enqueue([=](cudaStream_t stream) {
    return simt::launch(registration<Kernel>, emulated, stream, [=] { Kernel(arguments...); });
  });
}

#endif

}  // namespace kronroot::cuda
