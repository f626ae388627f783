// Ops of the CUDA backend called from C++ tests: batches go to the (emulated) device and come back.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "native/include/kronroot/backend.h"
#include "test/native/batch.hpp"
#include "test/native/expect.hpp"

extern "C" const kr_backend* kr_cuda_backend(uint32_t want_abi);

namespace kronroot::test {

inline const kr_backend& cuda() { return *kr_cuda_backend(KR_ABI); }

// One device for all tests of a binary.
inline kr_device* cuda_device() {
  static kr_device* const device = [] {
    kr_device* opened = nullptr;
    Call call;
    if (cuda().open(call.get(), nullptr, &opened) != KR_OK) std::printf("open: %s\n", call.message().c_str());
    return opened;
  }();
  return device;
}

// A call on the device.
class CudaCall : public Call {
 public:
  explicit CudaCall(const int32_t* cancel = nullptr) : Call(cancel) { fields().device = cuda_device(); }
};

// Bytes in memory of the device.
class DeviceBytes {
 public:
  explicit DeviceBytes(const void* content, int64_t bytes) : bytes_(bytes) {
    CudaCall call;
    if (cuda().allocate(call.get(), bytes, &data_) != KR_OK) std::printf("allocate: %s\n", call.message().c_str());
    if (bytes > 0) cuda().upload(call.get(), data_, content, bytes);
  }
  ~DeviceBytes() { cuda().release(cuda_device(), data_, bytes_); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;
  void* data() const { return data_; }
  void read(void* to) const {
    CudaCall call;
    if (bytes_ > 0 && cuda().download(call.get(), to, data_, bytes_) != KR_OK) {
      report_failure(__FILE__, __LINE__, call.message());
    }
  }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
};

// A copy of a host batch on the device with the same strides.
class DeviceBatch {
 public:
  explicit DeviceBatch(const kr_batch& host) : host_(host), bytes_(host.data, span(host)), descriptor_(host) {
    descriptor_.data = bytes_.data();
  }
  const kr_batch* operator&() const { return &descriptor_; }  // NOLINT(google-runtime-operator)
  // Back into the host batch it was made of.
  void read() const { bytes_.read(host_.data); }

 private:
  static int64_t span(const kr_batch& b) {
    if (b.batch == 0 || b.rows == 0 || b.cols == 0) return 0;
    const int64_t elements = (b.batch - 1) * b.batch_stride + (b.rows - 1) * b.row_stride + b.cols;
    return elements * (b.dtype == KR_F32 ? 4 : 8);
  }
  kr_batch host_;
  DeviceBytes bytes_;
  kr_batch descriptor_;
};

// Reports on the device.
class DeviceReports {
 public:
  explicit DeviceReports(int64_t count) : host_(static_cast<size_t>(count)) {
    std::memset(static_cast<void*>(host_.data()), 0x7f, host_.size() * sizeof(kr_report));
    bytes_ = std::make_unique<DeviceBytes>(host_.data(), count * static_cast<int64_t>(sizeof(kr_report)));
  }
  kr_report* get() const { return static_cast<kr_report*>(bytes_->data()); }
  std::vector<kr_report> read() {
    bytes_->read(host_.data());
    return host_;
  }

 private:
  std::vector<kr_report> host_;
  std::unique_ptr<DeviceBytes> bytes_;
};

}  // namespace kronroot::test
