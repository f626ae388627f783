// eigh above order 32: tridiagonal reduction, divide and conquer, back-transformation.
#include <cstdlib>

#include "test/native/cuda/eigen_answer.hpp"

namespace kronroot::test {
namespace {

template <typename T>
void bounds() {
  double worst = 0;
  for (const int64_t n : {33, 48, 65}) {
    std::vector<Symmetric> matrices;
    for (const int type : {1, 9, 10, 13, 20}) matrices.push_back(lapack_type(type, n, precision_of<T>));
    worst = std::max(worst, check_eigh<T>(n, matrices));
  }
  std::printf("largest ratio %.2f\n", worst);
}

TEST("eigh: bounds, order and signs, f32") { bounds<float>(); }
TEST("eigh: bounds, order and signs, f64") { bounds<double>(); }

}  // namespace
}  // namespace kronroot::test
