// eigh of orders that do not fit in the shared memory of a block: rows reduced in panels, reflectors applied in blocks.
#include "test/native/cuda/eigen_answer.hpp"

namespace kronroot::test {
namespace {

template <typename T>
void bounds_of_order(int64_t n, int type) {
  Batch<T> a = batch_of<T>(n, {lapack_type(type, n, precision_of<T>)});
  EighAnswer<T> answer = cuda_eigh(a);
  EXPECT(answer.reports[0].status == KR_STATUS_OK);
  const EighRatios ratios = ratios_of(a, answer, 0);
  EXPECT(ratios.residual < 10);
  EXPECT(ratios.orthogonality < 10);
  EXPECT(has_positive_peaks(answer.vectors, 0));
  std::printf("largest ratio %.2f\n", std::max(ratios.residual, ratios.orthogonality));
}

TEST("eigh: bounds beyond shared memory, f32") {
  bounds_of_order<float>(140, 16);
  bounds_of_order<float>(257, 13);
}
TEST("eigh: bounds beyond shared memory, f64") { bounds_of_order<double>(171, 9); }

}  // namespace
}  // namespace kronroot::test
