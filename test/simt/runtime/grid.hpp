// The blocks of a launch, on several threads of the host.
#pragma once

#include <functional>
#include <string>

#include "../block.hpp"

namespace simt {

struct Outcome {
  Wrong wrong = Wrong::nothing;
  std::string report;
};

// KRONROOT_SIMT_THREADS threads, else as many as there are cores; KRONROOT_SIMT_SEED shuffles the threads of each
// block. After the first block that fails no other is begun.
Outcome run_grid(const std::function<void()>& kernel, const LaunchShape& shape);

}  // namespace simt
