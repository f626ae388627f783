// The argument checks of qr, svd, triangular_solve and norm_estimate.
#include <algorithm>

#include "check.hpp"
#include "check_batch.hpp"

namespace kronroot {

kr_code check_qr(const kr_call* call, const kr_qr_options* given, const kr_batch* a_batch, const kr_batch* q_batch,
                 const kr_batch* r_batch) {
  const Operand a{"a", a_batch, Role::input}, q{"q", q_batch, Role::output}, r{"r", r_batch, Role::output};
  Check check(call);
  check.well_formed({a});
  if (check.failed()) return check.code();
  if (q_batch == nullptr && r_batch == nullptr)
    return fail(call, KR_BAD_SHAPE, "r: expected a descriptor, got NULL, and no q");
  const bool complete = given != nullptr && given->complete != 0;
  const int64_t m = a_batch->rows, n = a_batch->cols, inner = complete ? m : std::min(m, n);
  const char* meaning = complete ? "rows of a" : "the shorter side of a";
  if (q_batch != nullptr) {
    check.well_formed({a, q});
    if (check.failed()) return check.code();
    check.rows(q, m, "rows of a");
    check.cols(q, inner, meaning);
    check.disjoint(q, a);
  }
  if (r_batch != nullptr) {
    check.well_formed({a, r});
    if (check.failed()) return check.code();
    check.rows(r, inner, meaning);
    check.cols(r, n, "columns of a");
    check.disjoint(r, a);
  }
  if (q_batch != nullptr && r_batch != nullptr) check.disjoint(r, q);
  return check.code();
}

kr_code check_svd(const kr_call* call, const kr_svd_options*, const kr_batch* a_batch, const kr_batch* s_batch,
                  const kr_batch* u_batch, const kr_batch* v_batch) {
  const Operand a{"a", a_batch, Role::input}, s{"s", s_batch, Role::output}, u{"u", u_batch, Role::output},
      v{"v", v_batch, Role::output};
  Check check(call);
  check.well_formed({a, s});
  if (check.failed()) return check.code();
  if ((u_batch == nullptr) != (v_batch == nullptr)) {
    return fail(call, KR_BAD_SHAPE,
                u_batch == nullptr ? "u: expected a descriptor, got NULL, beside a v"
                                   : "v: expected a descriptor, got NULL, beside a u");
  }
  const int64_t shorter = std::min(a_batch->rows, a_batch->cols);
  check.rows(s, shorter, "the shorter side of a");
  check.cols(s, 1, "one singular value a row");
  check.disjoint(s, a);
  if (u_batch == nullptr) return check.code();
  check.well_formed({a, u, v});
  if (check.failed()) return check.code();
  check.rows(u, a_batch->rows, "rows of a");
  check.cols(u, shorter, "the shorter side of a");
  check.rows(v, a_batch->cols, "columns of a");
  check.cols(v, shorter, "the shorter side of a");
  check.disjoint(u, a);
  check.disjoint(v, a);
  check.disjoint(u, s);
  check.disjoint(v, s);
  check.disjoint(v, u);
  return check.code();
}

kr_code check_triangular_solve(const kr_call* call, const kr_triangular_solve_options* given, const kr_batch* t_batch,
                               const kr_batch* b_batch, const kr_batch* x_batch) {
  const kr_triangular_solve_options options = given == nullptr ? kr_triangular_solve_options{} : *given;
  const Operand t{"t", t_batch, Role::input}, b{"b", b_batch, Role::input}, x{"x", x_batch, Role::output};
  Check check(call);
  check.well_formed({t, b, x});
  check.option(options.side == KR_SIDE_LEFT || options.side == KR_SIDE_RIGHT, "side", "a kr_side (0 or 1)",
               options.side);
  if (check.failed()) return check.code();
  check.square(t);
  if (options.side == KR_SIDE_LEFT) {
    check.rows(b, t_batch->rows, "rows of t");
  } else {
    check.cols(b, t_batch->rows, "rows of t");
  }
  check.rows(x, b_batch->rows, "rows of b");
  check.cols(x, b_batch->cols, "columns of b");
  check.finite("alpha", options.alpha, t_batch->dtype);
  check.disjoint(x, t);
  check.disjoint_or_same(x, b);
  return check.code();
}

kr_code check_norm_estimate(const kr_call* call, const kr_norm_estimate_options* given, const kr_batch* a_batch,
                            const kr_batch* values_batch) {
  constexpr int32_t kMostIterations = 1000;
  const kr_norm_estimate_options options = given == nullptr ? kr_norm_estimate_options{} : *given;
  const Operand a{"a", a_batch, Role::input}, values{"values", values_batch, Role::output};
  Check check(call);
  check.well_formed({a, values});
  if (check.failed()) return check.code();
  check.option(options.kind >= KR_NORM_SPECTRAL && options.kind <= KR_NORM_MAX, "kind", "a kr_norm (0 to 5)",
               options.kind);
  check.option(options.iterations >= 0 && options.iterations <= kMostIterations, "iterations",
               "an integer from 0 to 1000", options.iterations);
  check.rows(values, 1, "one number a matrix");
  check.cols(values, 1, "one number a matrix");
  check.disjoint(values, a);
  return check.code();
}

}  // namespace kronroot
