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

// "... [with auto Kernel = {anonymous}::name<float>]", ".../native/cuda/qr/large.cu" ->
// "kronroot::cuda::name<float> of qr/large.cu".
std::string readable(const std::string& pretty, const std::string& file) {
  const std::string layer = "cuda/";
  const std::size_t folder = file.rfind(layer);
  const std::string place = folder == std::string::npos ? file : file.substr(folder + layer.size());
  const std::string key = "Kernel = ";
  const std::size_t at = pretty.find(key);
  std::string name = at == std::string::npos ? pretty : pretty.substr(at + key.size());
  if (at != std::string::npos && !name.empty() && name.back() == ']') name.pop_back();
  const bool is_of_file =
      name.find("{anonymous}::") != std::string::npos || name.find("(anonymous namespace)::") != std::string::npos;
  for (const std::string drop : {"{anonymous}::", "(anonymous namespace)::", "kronroot::cuda::"}) {
    for (std::size_t i = name.find(drop); i != std::string::npos; i = name.find(drop)) name.erase(i, drop.size());
  }
  if (at == std::string::npos) return name;
  return "kronroot::cuda::" + name + (is_of_file ? " of " + place : "");
}

// KRONROOT_SIMT_KERNELS names a folder; each process that launches a kernel has a file there, a line `launches name`
// for each that it can launch. The numbers are those of this moment: test runners end their processes by signals.
class ListOfKernels {
 public:
  explicit ListOfKernels(const char* folder) {
    if (folder == nullptr) return;
    std::string path = std::string(folder) + "/XXXXXX";
    file_ = mkstemp(path.data());
    if (file_ < 0) return;
    std::string text;
    for (const auto& [name, count] : kernels()) {
      places_.emplace(name, static_cast<off_t>(text.size()));
      text += digits(count) + ' ' + name + '\n';
    }
    write(text, 0);
  }
  void set(const std::string& name, int64_t count) const {
    if (file_ >= 0) write(digits(count), places_.at(name));
  }

 private:
  static std::string digits(int64_t count) {
    std::string text = std::to_string(count);
    return std::string(12 - text.size(), '0') + text;
  }
  void write(const std::string& text, off_t at) const {
    if (pwrite(file_, text.data(), text.size(), at) < 0) std::perror("simt: the list of kernels");
  }
  int file_ = -1;
  std::map<std::string, off_t> places_;
};

}  // namespace

std::map<std::string, int64_t>& kernels() {
  static auto& all = *new std::map<std::string, int64_t>;  // NOLINT: needed until the process ends
  return all;
}

Registration::Registration(const char* pretty, const char* file) : name(readable(pretty, file)) {
  if (kernels().emplace(name, 0).second) return;
  std::fprintf(stderr, "simt: two kernels are called %s, the list of kernels would count them as one\n", name.c_str());
  std::abort();
}

void count_launch(const std::string& name) {
  const std::lock_guard lock(counting());
  static const auto& list = *new ListOfKernels(std::getenv("KRONROOT_SIMT_KERNELS"));  // NOLINT: as above
  list.set(name, ++kernels()[name]);
}

}  // namespace simt
