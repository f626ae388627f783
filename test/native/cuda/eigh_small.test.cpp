// eigh of orders up to 32: one warp or a part of it for each matrix.
#include "test/native/cuda/eigen_answer.hpp"

namespace kronroot::test {
namespace {

template <typename T>
void bounds_of_small_orders() {
  double worst = 0;
  for (const int64_t n : {0, 1, 2, 3, 4, 5, 8, 11, 15, 16, 17, 31, 32})
    worst = std::max(worst, check_eigh<T>(n, lapack_types<T>(n)));
  std::printf("largest ratio %.2f\n", worst);
}

TEST("eigh: bounds, order and signs of small orders, f32") { bounds_of_small_orders<float>(); }
TEST("eigh: bounds, order and signs of small orders, f64") { bounds_of_small_orders<double>(); }

}  // namespace
}  // namespace kronroot::test
