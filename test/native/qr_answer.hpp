// qr measured against the bounds of ops.h.
#pragma once

#include "native/core/matrix.hpp"
#include "test/native/rectangles.hpp"

namespace kronroot::test {

// Q with l columns, R with l rows.
template <typename T>
struct QrAnswer {
  Batch<T> q, r;
  std::vector<kr_report> reports;
  QrAnswer(int64_t batch, int64_t m, int64_t n, int64_t l)
      : q(batch, m, l, kUntouched<T>, kPadding),
        r(batch, l, n, kUntouched<T>, kPadding),
        reports(static_cast<size_t>(batch)) {}
};

// Matrix b. "|A - Q R| / (max(m, n) ulp |A|) < 10, |Q^T Q - I| / (m ulp) < 10 (1-norms). Zeros below the diagonal of
// R", which is >= 0; the residual is below its bound, the condition max r_ii / min r_ii.
template <typename T>
void check_qr(const std::string& name, Batch<T>& a, QrAnswer<T>& answer, int64_t b) {
  const int64_t m = a.rows(), n = a.cols(), l = answer.q.cols();
  const double ulp = kronroot::ulp_of<T>, longer = static_cast<double>(std::max(m, n));
  const kr_report& report = answer.reports[static_cast<size_t>(b)];
  check(report.status == KR_STATUS_OK, name, "status", report.status);
  check(report.method == KR_METHOD_HOUSEHOLDER, name, "method", report.method);
  double most = 0, least = HUGE_VAL;
  for (int64_t i = 0; i < l; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      if (j < i) check(answer.r(b, i, j) == 0, name, "below the diagonal of R");
      if (j != i) continue;
      check(answer.r(b, i, i) >= 0, name, "diagonal of R", static_cast<double>(answer.r(b, i, i)));
      most = std::max<double>(most, answer.r(b, i, i));
      least = std::min<double>(least, answer.r(b, i, i));
    }
  }
  // What denormal numbers cannot hold is no matter of the factorisation.
  double largest = 0;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) largest = std::max<double>(largest, std::abs(a(b, i, j)));
  }
  const bool is_denormal = largest > 0 && largest < std::numeric_limits<T>::min() / ulp;
  const double error = product_error(a, answer.q, l, b, [&](int64_t k, int64_t j) { return answer.r(b, k, j); });
  if (!is_denormal) check(error < kRatioBound * longer * ulp, name, "|A - Q R|", error / (longer * ulp));
  const double lost = orthonormality(answer.q, b);
  check(lost < kRatioBound * static_cast<double>(m) * ulp, name, "|Q^T Q - I|", lost / (static_cast<double>(m) * ulp));
  check(report.residual < kRatioBound * longer * ulp, name, "residual", report.residual);
  if (most > 0 && !is_denormal) {
    const double condition = most / least;
    check(report.condition == condition || std::abs(report.condition / condition - 1) < 1e-5, name, "condition",
          report.condition);
  }
}

}  // namespace kronroot::test
