// The argument checks of qr and svd.
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

}  // namespace kronroot
