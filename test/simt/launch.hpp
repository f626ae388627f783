// Starts kernels on the emulator and keeps the list of those that exist and ran.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "block.hpp"

namespace simt {

// Every kernel that the program can launch, by name, and how often it was.
std::map<std::string, int64_t>& kernels();

// Registers at start-up; `pretty` is a __PRETTY_FUNCTION__ whose template argument is the kernel. Kernels of unnamed
// namespaces get the name of their file too, which tells them apart.
struct Registration {
  Registration(const char* pretty, const char* file);
  std::string name;
};

// Of the emulated device, compute capability 9.0.
inline constexpr int64_t most_blocks_x = 0x7fffffff, most_blocks_yz = 65535;
inline constexpr std::size_t most_shared_bytes = 227 * 1024;

cudaError_t launch(const Registration& kernel, const LaunchShape& shape, cudaStream_t stream,
                   std::function<void()> body);

}  // namespace simt
