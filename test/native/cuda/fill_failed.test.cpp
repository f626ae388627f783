#include "native/core/report.hpp"
#include "test/native/cuda/cuda_call.hpp"

namespace kronroot::test {
namespace {

template <typename T>
void only_failed_matrices_become_nan() {
  Batch<T> output(3, 2, 3, 7, 1);
  kr_report reports[3] = {answered(KR_METHOD_EIGH), failed(KR_STATUS_NON_FINITE_INPUT), answered(KR_METHOD_EIGH)};
  const DeviceBytes device_reports(reports, sizeof reports);
  const DeviceBatch device_output(*&output);
  CudaCall call;
  EXPECT(cuda().fill_failed(call.get(), static_cast<const kr_report*>(device_reports.data()), &device_output) == KR_OK);
  device_output.read();
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t j = 0; j < 3; ++j) EXPECT(b == 1 ? std::isnan(output(b, i, j)) : output(b, i, j) == 7);
    }
    EXPECT(output(b, 0, 3) == 7);
  }
}

TEST("fill_failed: NaN in failed matrices alone, not between rows") {
  only_failed_matrices_become_nan<float>();
  only_failed_matrices_become_nan<double>();
}

}  // namespace
}  // namespace kronroot::test
