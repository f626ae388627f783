// The table of the reference: device, memory, cancellation.
#include "native/include/kronroot/backend.h"

#include <cstdint>
#include <string>

#include "../batch.hpp"
#include "../expect.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;

namespace {

const kr_backend& reference = *kr_reference_backend();

}  // namespace

TEST("table: complete") {
  EXPECT(reference.abi == KR_ABI && reference.size == sizeof(kr_backend));
  EXPECT(std::string(reference.name) == "reference");
  EXPECT(reference.matmul && reference.gram && reference.eigh && reference.inverse_root && reference.orthogonalize);
  EXPECT(reference.cholesky && reference.spd_inverse && reference.spd_solve && reference.kron_apply);
  EXPECT(reference.elementwise_update && reference.reduce && reference.mode_product && reference.kron_solve);
  EXPECT(reference.qr && reference.svd && reference.triangular_solve && reference.norm_estimate);
}

TEST("device: open, info, memory, close") {
  Call call;
  kr_device* device = nullptr;
  EXPECT(reference.open(call.get(), nullptr, &device) == KR_OK);
  call.fields().device = device;
  kr_device_info info;
  void *data = nullptr, *nothing = &info;
  EXPECT(reference.allocate(call.get(), 100, &data) == KR_OK);
  EXPECT(reinterpret_cast<uintptr_t>(data) % 64 == 0);
  EXPECT(reference.allocate(call.get(), 0, &nothing) == KR_OK && nothing == nullptr);
  EXPECT(reference.info(call.get(), &info) == KR_OK);
  EXPECT(info.bytes_allocated == 100 && info.threads == 1 && std::string(info.name) == "reference");
  const double sent[2] = {1.5, -2};
  double received[2] = {};
  EXPECT(reference.upload(call.get(), data, sent, sizeof sent) == KR_OK);
  EXPECT(reference.download(call.get(), received, data, sizeof received) == KR_OK);
  EXPECT(received[0] == 1.5 && received[1] == -2);
  EXPECT(reference.upload(call.get(), nullptr, nullptr, 0) == KR_OK);
  reference.release(device, data, 100);
  reference.release(device, nullptr, 0);
  EXPECT(reference.info(call.get(), &info) == KR_OK && info.bytes_allocated == 0);
  reference.close(device);
}

TEST("device: what is refused") {
  Call call;
  kr_device* device = nullptr;
  const kr_device_options second{1, 0, nullptr, nullptr};
  EXPECT(reference.open(call.get(), &second, &device) == KR_NO_DEVICE && device == nullptr);
  EXPECT_CONTAINS(call.message(), "ordinal");
  EXPECT(reference.open(call.get(), nullptr, &device) == KR_OK);
  call.fields().device = device;
  void* data = nullptr;
  EXPECT(reference.allocate(call.get(), -1, &data) == KR_BAD_SHAPE);
  EXPECT(reference.allocate(call.get(), int64_t{1} << 60, &data) == KR_OUT_OF_MEMORY && data == nullptr);
  EXPECT_CONTAINS(call.message(), "bytes");
  EXPECT(reference.upload(call.get(), nullptr, nullptr, -1) == KR_BAD_SHAPE);
  reference.close(device);
}

TEST("cancellation reaches every op, and ops without reports say it by their code") {
  const int32_t cancel = 1;
  Call call(&cancel);
  Batch<float> a = Batch<float>::diagonal({1, 4}), x(1, 2, 2, 3), values(1, 2, 1, 3);
  EXPECT(reference.matmul(call.get(), nullptr, &a, &a, &x) == KR_CANCELLED);
  EXPECT(reference.gram(call.get(), nullptr, &a, &x) == KR_CANCELLED);
  EXPECT(reference.eigh(call.get(), nullptr, &a, &values, &x, nullptr) == KR_CANCELLED);
  EXPECT(reference.inverse_root(call.get(), nullptr, &a, &x, nullptr) == KR_CANCELLED);
  EXPECT(reference.orthogonalize(call.get(), nullptr, &a, &x, nullptr) == KR_CANCELLED);
  EXPECT(reference.cholesky(call.get(), nullptr, &a, &x, nullptr) == KR_CANCELLED);
  EXPECT(reference.spd_inverse(call.get(), nullptr, &a, &x, nullptr) == KR_CANCELLED);
  EXPECT(reference.spd_solve(call.get(), nullptr, &a, &a, &x, nullptr) == KR_CANCELLED);
  EXPECT(reference.kron_apply(call.get(), nullptr, &a, &a, &a, &x) == KR_CANCELLED);
  EXPECT(reference.qr(call.get(), nullptr, &a, nullptr, &x, nullptr) == KR_CANCELLED);
  EXPECT(reference.svd(call.get(), nullptr, &a, &values, nullptr, nullptr, nullptr) == KR_CANCELLED);
  EXPECT(reference.triangular_solve(call.get(), nullptr, &a, &a, &x, nullptr) == KR_CANCELLED);
  for (float each : x.data()) EXPECT(each == 3);
  EXPECT(values(0, 0) == 3 && values(1, 0) == 3);
}
