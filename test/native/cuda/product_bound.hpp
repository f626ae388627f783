// Products of matrices compared with sums in long double.
#pragma once

#include <cmath>
#include <string>

#include "native/core/matrix.hpp"
#include "test/native/cuda/cuda_call.hpp"
#include "test/native/uniform.hpp"

namespace kronroot::test {

inline void expect_that(bool holds, const std::string& where, const char* what) {
  if (!holds) report_failure(__FILE__, __LINE__, where + ": " + what);
}

// C = beta before + alpha op(A) op(B) + gamma I.
template <typename T>
struct ExpectedProduct {
  Batch<T>& a;
  Batch<T>& b;
  Batch<T>& before;
  int64_t depth;
  bool transpose_a = false, transpose_b = false;
  double alpha = 1, beta = 0, gamma = 0;
  bool is_symmetric = false;  // then of `before` the lower triangle is read

  // The largest error of matrix `index`, in ulp (|alpha| |A| |B| + |beta C| + |gamma| I).
  double error(Batch<T>& c, int64_t index) const {
    const auto in_range = [&](Batch<T>& x) { return x.descriptor().batch_stride == 0 ? 0 : index; };
    const int64_t ia = in_range(a), ib = in_range(b);
    double worst = 0;
    for (int64_t i = 0; i < c.rows(); ++i) {
      for (int64_t j = 0; j < c.cols(); ++j) {
        long double sum = 0, size = 0;
        for (int64_t k = 0; k < depth; ++k) {
          const long double term = static_cast<long double>(transpose_a ? a(ia, k, i) : a(ia, i, k)) *
                                   static_cast<long double>(transpose_b ? b(ib, j, k) : b(ib, k, j));
          sum += term;
          size += std::abs(term);
        }
        sum *= alpha;
        size *= std::abs(alpha);
        if (beta != 0) {
          const bool is_mirrored = is_symmetric && j > i;
          const long double old =
              beta * static_cast<long double>(is_mirrored ? before(index, j, i) : before(index, i, j));
          sum += old;
          size += std::abs(old);
        }
        if (i == j) sum += gamma, size += std::abs(gamma);
        const long double difference = std::abs(static_cast<long double>(c(index, i, j)) - sum);
        const double relative = difference == 0 ? 0 : static_cast<double>(difference / (size * ulp_of<T>));
        if (!(relative <= worst)) worst = relative;  // NaN too
      }
    }
    return worst;
  }
};

template <typename T>
bool padding_is(Batch<T>& batch, T filler) {
  const kr_batch& shape = batch.descriptor();
  for (int64_t b = 0; b < shape.batch; ++b) {
    for (int64_t i = 0; i < shape.rows; ++i) {
      for (int64_t j = shape.cols; j < shape.row_stride; ++j) {
        if (batch(b, i, j) != filler) return false;
      }
    }
  }
  return true;
}

}  // namespace kronroot::test
