// Opening a device, its memory, and what becomes of it when something fails; the faults are scripted.
#include <cuda_runtime.h>

#include <cmath>
#include <vector>

#include "native/cuda/device.hpp"
#include "test/native/cuda/cuda_call.hpp"
#include "test/simt/control.hpp"
#include "test/simt/memory.hpp"

namespace kronroot::test {
namespace {

// A device in a context with these faults, closed again.
class Device {
 public:
  explicit Device(const char* script) {
    simt::restart(simt::faults_of(script));
    code_ = cuda().open(open_.get(), nullptr, &device_);
  }
  ~Device() {
    close();
    simt::restart();
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  void close() {
    if (device_ != nullptr) cuda().close(device_);
    device_ = nullptr;
  }
  kr_device* get() const { return device_; }
  kr_code code() const { return code_; }
  std::string message() { return open_.message(); }

 private:
  Call open_;
  kr_device* device_ = nullptr;
  kr_code code_ = KR_OK;
};

class DeviceCall : public Call {
 public:
  explicit DeviceCall(kr_device* device) { fields().device = device; }
  explicit DeviceCall(const Device& device) : DeviceCall(device.get()) {}
};

// Launches one kernel on memory of the device: NaN into the failed ones of `batch` matrices of one element.
kr_code launch_once(Call& call, void* data, void* reports, int64_t batch) {
  const kr_batch output{data, KR_F32, 0, batch, 1, 1, 1, 1};
  return cuda().fill_failed(call.get(), static_cast<const kr_report*>(reports), &output);
}

void expect_no_device(const char* script, const std::string& text) {
  Device device(script);
  EXPECT(device.code() == KR_NO_DEVICE && device.get() == nullptr);
  EXPECT_CONTAINS(device.message(), text);
}

TEST("device: open says what is missing and what to do") {
  expect_no_device("no-driver", "install driver 580 or newer");
  expect_no_device("no-device", "the NVIDIA driver sees no device: check nvidia-smi");
  expect_no_device("architecture=75", "has compute capability 7.5: 8.0 (Ampere) or newer is needed");
}

TEST("device: an ordinal that is not there") {
  simt::restart();
  kr_device_options options{};
  options.ordinal = 1;
  kr_device* device = nullptr;
  Call call;
  EXPECT(cuda().open(call.get(), &options, &device) == KR_NO_DEVICE && device == nullptr);
  EXPECT_CONTAINS(call.message(), "got 1");
}

TEST("device: machine code for another architecture is said to be so, and the device goes on") {
  Device device("no-image");
  EXPECT(device.code() == KR_OK);
  void *data = nullptr, *reports = nullptr;
  DeviceCall call(device);
  EXPECT(cuda().allocate(call.get(), 4, &data) == KR_OK);
  EXPECT(cuda().allocate(call.get(), sizeof(kr_report), &reports) == KR_OK);
  EXPECT(launch_once(call, data, reports, 1) != KR_OK);
  EXPECT_CONTAINS(call.message(), "no kernel image");
  EXPECT_CONTAINS(call.message(), "fill_failed");
  EXPECT(cuda().synchronize(call.get()) == KR_OK);
  cuda().release(device.get(), data, 4);
  cuda().release(device.get(), reports, sizeof(kr_report));
}

TEST("device: out of memory names the bytes asked and free, changes nothing, and the call can be repeated") {
  const std::size_t before = simt::Memory::instance().live();
  Device device("memory=1000,allocation=2");
  EXPECT(device.code() == KR_OK);
  DeviceCall call(device);
  void *first = nullptr, *second = nullptr;
  EXPECT(cuda().allocate(call.get(), 400, &first) == KR_OK);
  EXPECT(cuda().allocate(call.get(), 100, &second) == KR_OUT_OF_MEMORY && second == nullptr);
  EXPECT_CONTAINS(call.message(), "no 100 bytes");
  EXPECT_CONTAINS(call.message(), "600 of 1000 are free");
  EXPECT(cuda().allocate(call.get(), 601, &second) == KR_OUT_OF_MEMORY);
  EXPECT_CONTAINS(call.message(), "no 601 bytes");
  kr_device_info info{};
  EXPECT(cuda().info(call.get(), &info) == KR_OK);
  EXPECT(info.bytes_allocated == 400 && info.bytes_free == 600 && info.bytes_total == 1000);
  EXPECT(cuda().allocate(call.get(), 600, &second) == KR_OK);
  cuda().release(device.get(), first, 400);
  cuda().release(device.get(), second, 600);
  device.close();
  EXPECT(simt::Memory::instance().live() == before);
}

// A matrix on a device and its root, by calls of inverse_root that are alike but for the residual bound.
struct RootCalls {
  explicit RootCalls(const Device& of) : device(of.get()), call(of) {
    a.resize(n * n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        a[static_cast<std::size_t>(i * n + j)] = (i == j ? 2.0f : 0.0f) + 1.0f / static_cast<float>(1 + i + j);
      }
    }
    EXPECT(cuda().allocate(call.get(), bytes, &device_a) == KR_OK);
    EXPECT(cuda().allocate(call.get(), bytes, &device_x) == KR_OK);
    EXPECT(cuda().allocate(call.get(), sizeof(kr_report), &reports) == KR_OK);
    EXPECT(cuda().upload(call.get(), device_a, a.data(), bytes) == KR_OK);
    clear();
  }
  ~RootCalls() {
    cuda().release(device, device_a, bytes);
    cuda().release(device, device_x, bytes);
    cuda().release(device, reports, sizeof(kr_report));
  }
  RootCalls(const RootCalls&) = delete;
  RootCalls& operator=(const RootCalls&) = delete;

  void clear() {
    const std::vector<float> untouched(n * n, 77);
    EXPECT(cuda().upload(call.get(), device_x, untouched.data(), bytes) == KR_OK);
  }
  kr_code run(double residual_bound = 0) {
    const kr_batch from{device_a, KR_F32, 0, 1, n, n, n, n * n}, to{device_x, KR_F32, 0, 1, n, n, n, n * n};
    kr_inverse_root_options options{};
    options.p_numerator = 4;
    options.p_denominator = 1;
    options.method = KR_METHOD_MINIMAX;
    options.residual_bound = residual_bound;
    return cuda().inverse_root(call.get(), &options, &from, &to, static_cast<kr_report*>(reports));
  }
  std::vector<float> root() {
    std::vector<float> read(n * n);
    EXPECT(cuda().download(call.get(), read.data(), device_x, bytes) == KR_OK);
    return read;
  }
  kr_report report() {
    kr_report read{};
    EXPECT(cuda().download(call.get(), &read, reports, sizeof read) == KR_OK);
    return read;
  }

  static constexpr int64_t n = 40, bytes = n * n * 4;
  kr_device* device;
  DeviceCall call;
  std::vector<float> a;
  void *device_a = nullptr, *device_x = nullptr, *reports = nullptr;
};

// Scratch memory is found wanting at each allocation in turn.
TEST("device: an op that finds no scratch memory writes nothing, gives back what it had, and succeeds when repeated") {
  const std::size_t before = simt::Memory::instance().live();
  int failures = 0;
  for (int64_t k = 1; k < 100; ++k) {
    Device device("");
    RootCalls calls(device);
    // Tables that stay with the device are made by the first call.
    EXPECT(calls.run() == KR_OK);
    const std::vector<float> expected = calls.root();
    calls.clear();
    const std::size_t held = simt::Memory::instance().live();
    simt::Faults faults;
    faults.allocation = k;
    simt::restart(faults);
    const kr_code code = calls.run(0.04);
    if (code == KR_OK) break;
    ++failures;
    EXPECT(code == KR_OUT_OF_MEMORY);
    EXPECT_CONTAINS(calls.call.message(), "bytes to give");
    EXPECT(simt::Memory::instance().live() == held);
    EXPECT(calls.root() == std::vector<float>(calls.n * calls.n, 77));
    EXPECT(calls.run(0.04) == KR_OK);
    EXPECT(calls.root() == expected);
  }
  simt::restart();
  EXPECT(failures > 10 && failures < 99);
  EXPECT(simt::Memory::instance().live() == before);
}

TEST("device: a call that comes again is a graph with the same bits, and has no need of it") {
  const std::size_t before = simt::Memory::instance().live();
  {
    Device device("");
    RootCalls calls(device);
    EXPECT(calls.run() == KR_OK);
    const std::vector<float> expected = calls.root();
    const double residual = calls.report().residual;
    const kr_report nothing{};
    for (int repetition = 0; repetition < 3; ++repetition) {
      calls.clear();
      EXPECT(cuda().upload(calls.call.get(), calls.reports, &nothing, sizeof nothing) == KR_OK);
      EXPECT(calls.run() == KR_OK);
      EXPECT(device.get()->graphs.newest().graph != nullptr);
      EXPECT(calls.root() == expected);
      EXPECT(calls.report().residual == residual && calls.report().status == KR_STATUS_OK);
    }
    // What it reads may change.
    calls.a[0] += 1;
    EXPECT(cuda().upload(calls.call.get(), calls.device_a, calls.a.data(), calls.bytes) == KR_OK);
    EXPECT(calls.run() == KR_OK);
    EXPECT(calls.root()[0] < expected[0] && calls.report().residual != residual);
  }
  for (int64_t k = 1; k < 4; ++k) {
    Device device("");
    RootCalls calls(device);
    EXPECT(calls.run() == KR_OK);
    const std::vector<float> expected = calls.root();
    calls.clear();
    simt::Faults faults;
    faults.allocation = k;
    simt::restart(faults);
    const kr_code code = calls.run();  // without memory to keep, launch by launch
    if (k == 1) EXPECT(code == KR_OK);
    if (code != KR_OK) EXPECT(calls.root() == std::vector<float>(calls.n * calls.n, 77));
    for (int repetition = 0; repetition < 2; ++repetition) {
      EXPECT(calls.run() == KR_OK);
      EXPECT(calls.root() == expected);
    }
  }
  simt::restart();
  EXPECT(simt::Memory::instance().live() == before);
}

// Of a device whose context is lost everything is refused, at once and with the same words; what only gives back is
// silent.
void expect_lost(Device& device, void* data, void* reports, const std::string& text) {
  DeviceCall call(device);
  const auto expect_refused = [&](kr_code code) {
    EXPECT(code == KR_DEVICE_LOST);
    EXPECT_CONTAINS(call.message(), text);
    EXPECT_CONTAINS(call.message(), "go on with open('cpu')");
  };
  void* more = nullptr;
  float host = 0;
  kr_device_info info{};
  expect_refused(launch_once(call, data, reports, 1));
  expect_refused(cuda().allocate(call.get(), 4, &more));
  EXPECT(more == nullptr);
  expect_refused(cuda().upload(call.get(), data, &host, 4));
  expect_refused(cuda().download(call.get(), &host, data, 4));
  expect_refused(cuda().synchronize(call.get()));
  expect_refused(cuda().info(call.get(), &info));
  cuda().release(device.get(), data, 4);
  cuda().release(device.get(), reports, sizeof(kr_report));
  device.close();
}

void lose(const char* script, bool is_late) {
  Device device(script);
  EXPECT(device.code() == KR_OK);
  DeviceCall call(device);
  void *data = nullptr, *reports = nullptr;
  EXPECT(cuda().allocate(call.get(), 4, &data) == KR_OK);
  EXPECT(cuda().allocate(call.get(), sizeof(kr_report), &reports) == KR_OK);
  const kr_code launched = launch_once(call, data, reports, 1);
  EXPECT(launched == (is_late ? KR_OK : KR_DEVICE_LOST));
  float host = 0;
  EXPECT(cuda().download(call.get(), &host, data, 4) == KR_DEVICE_LOST);
  EXPECT_CONTAINS(call.message(), "fill_failed");
  EXPECT_CONTAINS(call.message(), "unspecified launch failure");
  expect_lost(device, data, reports, "fill_failed");
}

TEST("device: a failing launch loses the context, and every later call is refused in the name of its op") {
  lose("launch=1", false);
}

TEST("device: an error that surfaces late names the op that launched it") { lose("late=1", true); }

TEST("device: two devices share a context: both are lost, each says so") {
  Device first("late=1");
  kr_device* second = nullptr;
  Call open;
  EXPECT(cuda().open(open.get(), nullptr, &second) == KR_OK);
  DeviceCall call(first);
  void *data = nullptr, *reports = nullptr;
  EXPECT(cuda().allocate(call.get(), 4, &data) == KR_OK);
  EXPECT(cuda().allocate(call.get(), sizeof(kr_report), &reports) == KR_OK);
  EXPECT(launch_once(call, data, reports, 1) == KR_OK);
  EXPECT(cuda().synchronize(call.get()) == KR_DEVICE_LOST);
  DeviceCall other(second);
  void* more = nullptr;
  EXPECT(cuda().allocate(other.get(), 4, &more) == KR_DEVICE_LOST && more == nullptr);
  cuda().release(first.get(), data, 4);
  cuda().release(first.get(), reports, sizeof(kr_report));
  cuda().close(second);
  // Nor is a new one opened on it.
  EXPECT(cuda().open(open.get(), nullptr, &second) == KR_NO_DEVICE);
}

TEST("device: the caller's stream is used and left alone") {
  simt::restart();
  cudaStream_t stream = nullptr;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  kr_device_options options{};
  options.stream = stream;
  kr_device* device = nullptr;
  Call open;
  EXPECT(cuda().open(open.get(), &options, &device) == KR_OK);
  DeviceCall call(device);
  kr_device_info info{};
  EXPECT(cuda().info(call.get(), &info) == KR_OK && info.stream == stream);
  cuda().close(device);
  EXPECT(cudaStreamQuery(stream) == cudaSuccess);
  EXPECT(cudaStreamDestroy(stream) == cudaSuccess);
}

}  // namespace
}  // namespace kronroot::test
