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

// All of it deflates, nothing does, or the poles of the secular equation are as close as deflation lets them be.
template <typename T>
void hard_to_divide_bounds() {
  std::vector<Symmetric> matrices;
  for (const Symmetric& each : hard_to_divide(42, precision_of<T>)) {
    if (each.n == 42) matrices.push_back(each);
  }
  std::printf("largest ratio %.2f over matrices that are hard to divide\n", check_eigh<T>(42, matrices));
}

TEST("eigh: matrices that are hard to divide, f32") { hard_to_divide_bounds<float>(); }
TEST("eigh: matrices that are hard to divide, f64") { hard_to_divide_bounds<double>(); }

}  // namespace
}  // namespace kronroot::test
