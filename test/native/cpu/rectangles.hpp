// The CPU devices that rectangular matrices are tried on, one matrix to a lane and alone.
#pragma once

#include "devices.hpp"
#include "native/core/matrix.hpp"
#include "test/native/rectangles.hpp"

namespace kronroot::test {

inline std::string name_of(const cpu::KernelSet& set, const char* type, bool lanes, const Rectangle& each) {
  return std::string(set.name) + " " + type + (lanes ? " lanes " : " ") + std::to_string(each.m) + "x" +
         std::to_string(each.n) + " " + each.name;
}

// A device that computes an op in lanes, or never.
class LaneDevice {
 public:
  LaneDevice(LaneOp op, bool lanes, const cpu::KernelSet& set, int threads = 1) : device_{&set, threads} {
    for (const int32_t dtype : {KR_F32, KR_F64}) {
      if (lanes) table_.lanes.push_back({op, dtype, 1000, 1});
    }
    device_.crossovers = &table_;
    call_.fields().device = &device_;
  }
  LaneDevice(const LaneDevice&) = delete;
  const kr_call* get() const { return call_.get(); }
  std::string message() const { return call_.message(); }

 private:
  Crossovers table_;
  kr_device device_;
  Call call_;
};

}  // namespace kronroot::test
