// CPU devices of every instruction set that this machine has.
#pragma once

#include <string>
#include <vector>

#include "native/cpu/device.hpp"
#include "native/cpu/isa.hpp"
#include "test/native/batch.hpp"
#include "test/native/check.hpp"
#include "test/native/expect.hpp"
#include "test/native/uniform.hpp"

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

}  // namespace kronroot::test
