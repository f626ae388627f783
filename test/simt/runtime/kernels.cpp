// The kernels that the program can launch, and how often each was.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include "../launch.hpp"
#include "kernels.hpp"

namespace simt {
namespace {

std::mutex& counting() {
  static std::mutex& mutex = *new std::mutex;  // NOLINT: needed until the process ends
  return mutex;
}

// "... [with auto Kernel = {anonymous}::name<float>]" -> kronroot::cuda::name<float>.
std::string readable(const std::string& pretty) {
  const std::string key = "Kernel = ";
  const std::size_t at = pretty.find(key);
  std::string name = at == std::string::npos ? pretty : pretty.substr(at + key.size());
  if (at != std::string::npos && !name.empty() && name.back() == ']') name.pop_back();
  for (const std::string drop : {"{anonymous}::", "(anonymous namespace)::", "kronroot::cuda::"}) {
    for (std::size_t i = name.find(drop); i != std::string::npos; i = name.find(drop)) name.erase(i, drop.size());
  }
  return at == std::string::npos ? name : "kronroot::cuda::" + name;
}

// KRONROOT_SIMT_KERNELS names a folder; each process leaves a file there, a line `launches name` for each kernel.
void write_kernels() {
  const char* const folder = std::getenv("KRONROOT_SIMT_KERNELS");
  if (folder == nullptr) return;
  std::FILE* const file = std::fopen((std::string(folder) + "/" + std::to_string(getpid()) + ".txt").c_str(), "a");
  if (file == nullptr) return;
  const std::lock_guard lock(counting());
  for (const auto& [name, count] : kernels())
    std::fprintf(file, "%lld %s\n", static_cast<long long>(count), name.c_str());
  std::fclose(file);
}

}  // namespace

std::map<std::string, int64_t>& kernels() {
  static auto& all = *new std::map<std::string, int64_t>;  // NOLINT: needed until the process ends
  return all;
}

Registration::Registration(const char* pretty) : name(readable(pretty)) {
  static const int once = std::atexit(write_kernels);
  (void)once;
  kernels().emplace(name, 0);
}

void count_launch(const std::string& name) {
  const std::lock_guard lock(counting());
  ++kernels()[name];
}

}  // namespace simt
