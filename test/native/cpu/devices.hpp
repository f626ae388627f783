// CPU devices of every instruction set that this machine has, and random matrices.
#pragma once

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "native/cpu/device.hpp"
#include "native/cpu/isa.hpp"
#include "test/native/batch.hpp"
#include "test/native/expect.hpp"

namespace kronroot::test {

inline std::vector<const cpu::KernelSet*> kernel_sets() {
  std::vector<const cpu::KernelSet*> sets;
  for (const char* name : {"baseline", "avx2", "avx512", "amx"}) {
    if (const cpu::KernelSet* set = cpu::find_kernels(name)) sets.push_back(set);
  }
  return sets;
}

// A call on a device of its own.
class DeviceCall {
 public:
  explicit DeviceCall(const cpu::KernelSet& set, int threads = 1, const int32_t* cancel = nullptr)
      : device_{&set, threads}, call_(cancel) {
    call_.fields().device = &device_;
  }
  const kr_call* get() const { return call_.get(); }
  std::string message() const { return call_.message(); }

 private:
  kr_device device_;
  Call call_;
};

template <typename T>
inline constexpr const char* type_name = sizeof(T) == 4 ? "f32" : "f64";

class Uniform {
 public:
  explicit Uniform(uint64_t seed) : engine_(seed) {}
  double next() { return static_cast<double>(engine_() >> 11) * 0x1p-52 - 1; }  // in [-1, 1)

  template <typename T>
  void fill(Batch<T>& batch) {
    const kr_batch& shape = batch.descriptor();
    for (int64_t b = 0; b < shape.batch; ++b) {
      for (int64_t i = 0; i < shape.rows; ++i) {
        for (int64_t j = 0; j < shape.cols; ++j) batch(b, i, j) = static_cast<T>(next());
      }
    }
  }

 private:
  std::mt19937_64 engine_;
};

template <typename T>
bool same_bits(const std::vector<T>& x, const std::vector<T>& y) {
  return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0);
}

// Reports a failed expectation with the case it belongs to.
inline void check(bool holds, const std::string& where, const char* what, double value = 0) {
  if (holds) return;
  report_failure("", 0, where + ": " + what + " (" + std::to_string(value) + ")");
}

}  // namespace kronroot::test
