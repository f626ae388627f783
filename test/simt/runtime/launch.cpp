// Launches: what the hardware refuses at once, and what a kernel does wrong later.
#include "../launch.hpp"

#include <cstdio>
#include <string>
#include <utility>

#include "context.hpp"
#include "engine.hpp"
#include "grid.hpp"
#include "kernels.hpp"

namespace simt {
namespace {

cudaError_t error_of(Wrong wrong) {
  switch (wrong) {
    case Wrong::address:
      return cudaErrorIllegalAddress;
    case Wrong::alignment:
      return cudaErrorMisalignedAddress;
    default:
      return cudaErrorLaunchFailure;
  }
}

std::string text_of(const LaunchShape& shape) {
  const Grid& grid = shape.blocks;
  return std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " + std::to_string(grid.z) + " blocks of " +
         std::to_string(shape.threads) + " threads, " + std::to_string(shape.shared_bytes) + " bytes of shared memory";
}

bool is_possible(const LaunchShape& shape) {
  const Grid& grid = shape.blocks;
  return shape.threads >= 1 && shape.threads <= most_threads && grid.x >= 1 && grid.x <= most_blocks_x && grid.y >= 1 &&
         grid.y <= most_blocks_yz && grid.z >= 1 && grid.z <= most_blocks_yz && shape.shared_bytes <= most_shared_bytes;
}

}  // namespace

cudaError_t launch(const Registration& kernel, const LaunchShape& shape, cudaStream_t stream,
                   std::function<void()> body) {
  DeviceContext& context = DeviceContext::instance();
  if (context.told() != cudaSuccess) return give(cudaSuccess);
  if (!context.faults().has_image) return give(cudaErrorNoKernelImageForDevice);
  if (!is_possible(shape)) {
    std::fprintf(stderr, "simt: %s: launch with %s\n", kernel.name.c_str(), text_of(shape).c_str());
    return give(cudaErrorInvalidConfiguration);
  }
  const auto fault = context.next_launch();
  if (fault == DeviceContext::LaunchFault::at_once) {
    context.lose(cudaErrorLaunchFailure, kernel.name + ": scripted failure of the launch", false);
    return give(cudaSuccess);
  }
  const bool fails_late = fault == DeviceContext::LaunchFault::late;
  Engine& engine = Engine::instance();
  return give(engine.submit(engine.resolve(stream), [&kernel, shape, fails_late, body = std::move(body), &context] {
    if (context.is_lost()) return;
    if (fails_late) return context.lose(cudaErrorLaunchFailure, kernel.name + ": scripted late failure", true);
    count_launch(kernel.name);
    const Outcome outcome = run_grid(body, shape);
    if (outcome.wrong != Wrong::nothing) {
      context.lose(error_of(outcome.wrong), kernel.name + ": " + outcome.report, false);
    }
  }));
}

}  // namespace simt
