// The device part of the CPU backend's table: options and environment, information, memory.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "devices.hpp"
#include "native/core/planner.hpp"

namespace {

using namespace kronroot::test;

const kr_backend& backend() { return *kr_cpu_backend(); }

// Sets a variable of the environment while it lives; nullptr unsets it.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (value == nullptr) {
      unsetenv(name);
    } else {
      setenv(name, value, 1);
    }
  }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

struct Opened {
  explicit Opened(kr_device_options options) { code = backend().open(call.get(), &options, &device); }
  ~Opened() {
    if (device != nullptr) backend().close(device);
  }
  kr_device_info info() {
    kr_device_info result{};
    call.fields().device = device;
    EXPECT(backend().info(call.get(), &result) == KR_OK);
    return result;
  }
  Call call;
  kr_device* device = nullptr;
  kr_code code;
};

TEST("table: ABI, size, and every op is there") {
  EXPECT(backend().abi == KR_ABI);
  EXPECT(backend().size == sizeof(kr_backend));
  EXPECT(std::string(backend().name) == "cpu");
  EXPECT(backend().matmul && backend().gram && backend().eigh && backend().inverse_root && backend().orthogonalize);
  EXPECT(backend().cholesky && backend().spd_inverse && backend().spd_solve && backend().kron_apply);
  EXPECT(backend().elementwise_update && backend().reduce && backend().mode_product && backend().kron_solve);
  EXPECT(backend().qr && backend().svd && backend().triangular_solve && backend().norm_estimate);
}

TEST("open: threads from the option, else KRONROOT_THREADS, else the cores") {
  const Environment isa("KRONROOT_ISA", nullptr);
  {
    const Environment threads("KRONROOT_THREADS", "3");
    EXPECT(Opened({}).info().threads == 3);
    EXPECT(Opened({0, 2, nullptr, nullptr}).info().threads == 2);
  }
  EXPECT(Opened({}).info().threads >= 1);
}

TEST("open: nonsense in KRONROOT_THREADS is refused with what is allowed") {
  for (const char* text : {"0", "-1", "two", "2x", "99999999999999999999", " "}) {
    const Environment threads("KRONROOT_THREADS", text);
    const Opened opened({});
    EXPECT(opened.code == KR_BAD_OPTION);
    EXPECT(opened.device == nullptr);
    EXPECT_CONTAINS(opened.call.message(), "KRONROOT_THREADS: expected an integer from 1 to");
    EXPECT_CONTAINS(opened.call.message(), text);
  }
}

TEST("open: crossovers from the file in KRONROOT_CROSSOVERS, else those built in; a wrong file is refused") {
  const std::string path = "/tmp/kronroot-crossovers-" + std::to_string(getpid());
  const Environment crossovers("KRONROOT_CROSSOVERS", path.c_str());
  const Environment isa("KRONROOT_ISA", "baseline");
  const Opened missing({});
  EXPECT(missing.code == KR_BAD_OPTION);
  EXPECT_CONTAINS(missing.call.message(), "KRONROOT_CROSSOVERS: no file \"" + path + "\"");
  std::ofstream(path) << "lanes baseline eigh f32 40 7\n";
  const Opened read({});
  EXPECT(read.code == KR_OK);
  EXPECT(kronroot::plan_lanes(*read.device->crossovers, kronroot::LaneOp::eigh, KR_F32, 40, 7));
  EXPECT(!kronroot::plan_lanes(*read.device->crossovers, kronroot::LaneOp::eigh, KR_F32, 40, 6));
  std::ofstream(path) << "lanes baseline eigh f32\n";
  const Opened wrong({});
  EXPECT(wrong.code == KR_BAD_OPTION);
  EXPECT_CONTAINS(wrong.call.message(), path + ", line 1: expected N");
  std::remove(path.c_str());
}

TEST("open: the instruction set from the option, else KRONROOT_ISA, else the best") {
  for (const kronroot::cpu::KernelSet* set : kernel_sets()) {
    EXPECT(Opened({0, 0, set->name, nullptr}).info().isa == std::string(set->name));
    const Environment isa("KRONROOT_ISA", set->name);
    EXPECT(Opened({}).info().isa == std::string(set->name));
    EXPECT(Opened({0, 0, "baseline", nullptr}).info().isa == std::string("baseline"));
  }
  EXPECT(Opened({}).info().isa == std::string(kernel_sets().back()->name));
}

TEST("open: an unknown instruction set is refused with those there are") {
  const Opened by_option({0, 0, "mmx", nullptr});
  EXPECT(by_option.code == KR_BAD_OPTION);
  EXPECT_CONTAINS(by_option.call.message(), "isa:");
  EXPECT_CONTAINS(by_option.call.message(), "baseline");
  EXPECT_CONTAINS(by_option.call.message(), "mmx");
  const Environment isa("KRONROOT_ISA", "AVX512");
  const Opened by_variable({});
  EXPECT(by_variable.code == KR_BAD_OPTION);
  EXPECT_CONTAINS(by_variable.call.message(), "KRONROOT_ISA:");
}

TEST("open: one device, and threads within reason") {
  EXPECT(Opened({1, 0, nullptr, nullptr}).code == KR_NO_DEVICE);
  EXPECT(Opened({0, -1, nullptr, nullptr}).code == KR_BAD_OPTION);
  EXPECT(Opened({0, 1 << 20, nullptr, nullptr}).code == KR_BAD_OPTION);
}

TEST("info: the processor has a name without blanks around it") {
  const kr_device_info info = Opened({}).info();
  const std::string name = info.name;
  EXPECT(!name.empty() && name.front() != ' ' && name.back() != ' ');
}

TEST("memory: aligned, counted, copied both ways") {
  Opened opened({});
  EXPECT(opened.info().bytes_allocated == 0);
  void* data = nullptr;
  EXPECT(backend().allocate(opened.call.get(), 1000, &data) == KR_OK);
  EXPECT(reinterpret_cast<uintptr_t>(data) % 64 == 0);
  EXPECT(opened.info().bytes_allocated == 1000);
  const char text[] = "kronroot";
  char back[sizeof text] = "";
  EXPECT(backend().upload(opened.call.get(), data, text, sizeof text) == KR_OK);
  EXPECT(backend().download(opened.call.get(), back, data, sizeof text) == KR_OK);
  EXPECT(std::strcmp(text, back) == 0);
  EXPECT(backend().upload(opened.call.get(), nullptr, nullptr, 0) == KR_OK);
  backend().release(opened.device, data, 1000);
  backend().release(opened.device, nullptr, 0);
  EXPECT(opened.info().bytes_allocated == 0);
}

TEST("memory: no bytes, negative bytes, and more bytes than there are") {
  Opened opened({});
  opened.call.fields().device = opened.device;
  void* data = &opened;
  EXPECT(backend().allocate(opened.call.get(), 0, &data) == KR_OK);
  EXPECT(data == nullptr);
  EXPECT(backend().allocate(opened.call.get(), -1, &data) == KR_BAD_OPTION);
  EXPECT(backend().allocate(opened.call.get(), int64_t{1} << 60, &data) == KR_OUT_OF_MEMORY);
  EXPECT(data == nullptr);
  EXPECT_CONTAINS(opened.call.message(), "1152921504606846976");
}

}  // namespace
