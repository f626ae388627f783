// Opening a device, its memory, and what becomes of it when something fails; the faults are scripted.
#include <cuda_runtime.h>

#include <cmath>
#include <vector>

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

// A decomposition of a batch, whose scratch memory is found wanting at each allocation in turn.
TEST("device: an op that finds no scratch memory gives back what it had, and succeeds when repeated") {
  const std::size_t before = simt::Memory::instance().live();
  for (int64_t k = 1; k < 30; ++k) {
    Device device("");
    DeviceCall call(device);
    constexpr int64_t n = 40, bytes = n * n * 4;
    std::vector<float> a(n * n), read(n * n);
    for (int64_t i = 0; i < n; ++i) a[static_cast<std::size_t>(i * n + i)] = static_cast<float>(1 + i);
    void *device_a = nullptr, *device_x = nullptr;
    EXPECT(cuda().allocate(call.get(), bytes, &device_a) == KR_OK);
    EXPECT(cuda().allocate(call.get(), bytes, &device_x) == KR_OK);
    EXPECT(cuda().upload(call.get(), device_a, a.data(), bytes) == KR_OK);
    const kr_batch from{device_a, KR_F32, 0, 1, n, n, n, n * n}, to{device_x, KR_F32, 0, 1, n, n, n, n * n};
    kr_inverse_root_options options{};
    options.p_numerator = 1;
    options.p_denominator = 2;
    // Tables that stay with the device are made by the first call.
    EXPECT(cuda().inverse_root(call.get(), &options, &from, &to, nullptr) == KR_OK);
    const std::size_t held = simt::Memory::instance().live();
    simt::Faults faults;
    faults.allocation = k;
    simt::restart(faults);
    const kr_code code = cuda().inverse_root(call.get(), &options, &from, &to, nullptr);
    const bool has_failed = code != KR_OK;
    EXPECT(!has_failed || code == KR_OUT_OF_MEMORY || code == KR_NOT_COMPILED || code == KR_BAD_OPTION);
    if (code == KR_OUT_OF_MEMORY) {
      EXPECT_CONTAINS(call.message(), "bytes to give");
      EXPECT(simt::Memory::instance().live() == held);
      EXPECT(cuda().inverse_root(call.get(), &options, &from, &to, nullptr) == KR_OK);
      EXPECT(cuda().download(call.get(), read.data(), device_x, bytes) == KR_OK);
      EXPECT(std::abs(read[0] - 1) < 1e-4f);
    }
    cuda().release(device.get(), device_a, bytes);
    cuda().release(device.get(), device_x, bytes);
    if (!has_failed) break;
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
