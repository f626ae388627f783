// Y = X x_1 op(A_1) x_2 .. x_k op(A_k), mode after mode
#include <utility>
#include <vector>

#include "../core/check.hpp"
#include "../core/modes.hpp"
#include "../core/report.hpp"
#include "batch.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

// The tensor as outer x from x inner, with the mode in the middle: sum over i of A[j, i] x[., i, .].
std::vector<double> multiplied(const std::vector<double>& x, int64_t outer, int64_t inner, const Dense& a) {
  std::vector<double> y(static_cast<size_t>(outer * a.rows() * inner));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t j = 0; j < a.rows(); ++j) {
      double* to = y.data() + (o * a.rows() + j) * inner;
      for (int64_t i = 0; i < a.cols(); ++i) {
        const double* from = x.data() + (o * a.cols() + i) * inner;
        for (int64_t q = 0; q < inner; ++q) to[q] += a(j, i) * from[q];
      }
    }
  }
  return y;
}

}  // namespace

kr_code mode_product(const kr_call* call, const kr_mode_product_options* options, const kr_batch* x,
                     const kr_batch* const* factors, const kr_batch* y) {
  if (const kr_code code = check_mode_product(call, options, x, factors, y); code != KR_OK) return code;
  const Modes modes = modes_of(options, *x, factors);
  return run_batch(call, {y}, nullptr, Overflow::propagated, [&](int64_t index) -> Answer {
    std::vector<double> tensor = load(*x, index).elements();
    int64_t outer = 1;
    for (int i = 0; i < modes.order; ++i) {
      const Mode& mode = modes.by_dimension[static_cast<size_t>(i)];
      int64_t inner = 1;
      for (int j = i + 1; j < modes.order; ++j) inner *= modes.by_dimension[static_cast<size_t>(j)].from;
      if (mode.factor != nullptr) {
        const Dense a = load(*mode.factor, index);
        tensor = multiplied(tensor, outer, inner, mode.is_transposed ? transpose(a) : a);
      }
      outer *= mode.to;
    }
    Dense result(y->rows, y->cols);
    result.elements() = std::move(tensor);
    return {answered(KR_METHOD_DIRECT), {std::move(result)}};
  });
}

}  // namespace kronroot::reference
