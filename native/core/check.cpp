#include "check.hpp"

#include <cmath>
#include <string>

#include "check_batch.hpp"
#include "rational.hpp"

namespace kronroot {
namespace {

// A NULL options pointer stands for the zero value.
template <typename Options>
Options options_or_default(const Options* options) {
  return options == nullptr ? Options{} : *options;
}

bool finite_and_not_negative(double value) { return std::isfinite(value) && value >= 0; }

void check_ridge(Check& check, int32_t ridge, double value) {
  check.option(ridge >= KR_RIDGE_DEFAULT && ridge <= KR_RIDGE_PSEUDO_INVERSE, "ridge", "a kr_ridge (0 to 5)", ridge);
  check.option(finite_and_not_negative(value), "ridge_value", "a finite number >= 0", value);
}

void check_cholesky_ridge(Check& check, const kr_cholesky_options& options) {
  check_ridge(check, options.ridge, options.ridge_value);
  check.option(options.ridge != KR_RIDGE_PSEUDO_INVERSE, "ridge", "a kr_ridge other than PSEUDO_INVERSE (0 to 4)",
               options.ridge);
}

}  // namespace

kr_code check_matmul(const kr_call* call, const kr_matmul_options* given, const kr_batch* a_batch,
                     const kr_batch* b_batch, const kr_batch* c_batch) {
  const kr_matmul_options options = options_or_default(given);
  const Operand a{"a", a_batch, Role::input}, b{"b", b_batch, Role::input}, c{"c", c_batch, Role::output};
  Check check(call);
  check.well_formed({a, b, c});
  if (check.failed()) return check.code();
  const bool transpose_a = options.transpose_a != 0, transpose_b = options.transpose_b != 0;
  const int64_t m = transpose_a ? a_batch->cols : a_batch->rows;
  const int64_t k = transpose_a ? a_batch->rows : a_batch->cols;
  const int64_t n = transpose_b ? b_batch->rows : b_batch->cols;
  if (transpose_b) {
    check.cols(b, k, "columns of op(a)");
  } else {
    check.rows(b, k, "columns of op(a)");
  }
  check.rows(c, m, "rows of op(a)");
  check.cols(c, n, "columns of op(b)");
  check.finite("alpha", options.alpha, a_batch->dtype);
  check.finite("beta", options.beta, a_batch->dtype);
  check.disjoint(c, a);
  check.disjoint(c, b);
  return check.code();
}

kr_code check_gram(const kr_call* call, const kr_gram_options* given, const kr_batch* x_batch,
                   const kr_batch* c_batch) {
  const kr_gram_options options = options_or_default(given);
  const Operand x{"x", x_batch, Role::input}, c{"c", c_batch, Role::output};
  Check check(call);
  check.well_formed({x, c});
  check.option(options.side == KR_SIDE_LEFT || options.side == KR_SIDE_RIGHT, "side", "a kr_side (0 or 1)",
               options.side);
  if (check.failed()) return check.code();
  const bool left = options.side == KR_SIDE_LEFT;
  const int64_t n = left ? x_batch->rows : x_batch->cols;
  check.rows(c, n, left ? "rows of x" : "columns of x");
  check.cols(c, n, left ? "rows of x" : "columns of x");
  check.finite("alpha", options.alpha, x_batch->dtype);
  check.finite("beta", options.beta, x_batch->dtype);
  check.disjoint(c, x);
  return check.code();
}

kr_code check_eigh(const kr_call* call, const kr_eigh_options* given, const kr_batch* a_batch,
                   const kr_batch* values_batch, const kr_batch* vectors_batch) {
  const kr_eigh_options options = options_or_default(given);
  const Operand a{"a", a_batch, Role::input}, values{"values", values_batch, Role::output},
      vectors{"vectors", vectors_batch, Role::output};
  Check check(call);
  if (vectors_batch == nullptr) {
    check.well_formed({a, values});
  } else {
    check.well_formed({a, values, vectors});
  }
  if (check.failed()) return check.code();
  check.option(options.refresh >= KR_REFRESH_NONE && options.refresh <= KR_REFRESH_ITERATE, "refresh",
               "a kr_refresh (0 to 2)", options.refresh);
  check.option(options.refresh == KR_REFRESH_NONE || vectors_batch != nullptr, "refresh",
               "0 (none) without vectors, which hold the basis", options.refresh);
  check.option(options.refresh_tolerance >= 0 && options.refresh_tolerance < 1, "refresh_tolerance",
               "a number from 0 to below 1", options.refresh_tolerance);
  check.square(a);
  check.rows(values, a_batch->rows, "rows of a");
  check.cols(values, 1, "one eigenvalue a row");
  check.disjoint(values, a);
  if (vectors_batch != nullptr) {
    check.rows(vectors, a_batch->rows, "rows of a");
    check.cols(vectors, a_batch->rows, "rows of a");
    check.disjoint(vectors, a);
    check.disjoint(vectors, values);
  }
  return check.code();
}

kr_code check_inverse_root(const kr_call* call, const kr_inverse_root_options* given, const kr_batch* a_batch,
                           const kr_batch* x_batch) {
  const kr_inverse_root_options options = options_or_default(given);
  const Operand a{"a", a_batch, Role::input}, x{"x", x_batch, Role::output};
  Check check(call);
  check.well_formed({a, x});
  if (check.failed()) return check.code();
  check.square(a);
  check.rows(x, a_batch->rows, "rows of a");
  check.cols(x, a_batch->rows, "rows of a");
  const int32_t numerator = options.p_numerator, denominator = options.p_denominator;
  if (numerator != 0 || denominator != 0) {
    check.option(numerator != 0 && numerator >= -root_limit && numerator <= root_limit, "p_numerator",
                 "an integer from -64 to 64 other than 0 (or 0/0 for the default 2/1)", numerator);
    check.option(denominator > 0 && denominator <= root_limit, "p_denominator",
                 "an integer from 1 to 64 (or 0/0 for the default 2/1)", denominator);
  }
  const bool known = (options.method >= KR_METHOD_AUTO && options.method <= KR_METHOD_COUPLED_NEWTON) ||
                     (options.method >= KR_METHOD_HIGHER_ORDER && options.method <= KR_METHOD_RATIONAL) ||
                     options.method == KR_METHOD_PARTIAL_FRACTIONS;
  check.option(known, "method",
               "AUTO (0), EIGH (1), MINIMAX (2), COUPLED_NEWTON (3), HIGHER_ORDER (10), NEWTON_DB (11), CANS (12), "
               "CHEBYSHEV (13), RATIONAL (14) or PARTIAL_FRACTIONS (17)",
               options.method);
  if (check.failed()) return check.code();
  if (options.method == KR_METHOD_NEWTON_DB || options.method == KR_METHOD_CANS) {
    const int32_t a = root_of(options).a;
    check.option(a >= 2 && std::has_single_bit(static_cast<uint32_t>(a)), "p_numerator",
                 "2, 4, 8, ... in lowest terms, since NEWTON_DB and CANS take square roots", a);
  }
  check_ridge(check, options.ridge, options.ridge_value);
  check.option(finite_and_not_negative(options.residual_bound), "residual_bound", "a finite number >= 0",
               options.residual_bound);
  check.option(options.max_iterations >= 0, "max_iterations", "an integer >= 0", options.max_iterations);
  check.disjoint_or_same(x, a);
  return check.code();
}

kr_code check_orthogonalize(const kr_call* call, const kr_orthogonalize_options* given, const kr_batch* a_batch,
                            const kr_batch* x_batch) {
  const kr_orthogonalize_options options = options_or_default(given);
  const Operand a{"a", a_batch, Role::input}, x{"x", x_batch, Role::output};
  Check check(call);
  check.well_formed({a, x});
  if (check.failed()) return check.code();
  check.rows(x, a_batch->rows, "rows of a");
  check.cols(x, a_batch->cols, "columns of a");
  const bool is_iterated = options.method == KR_METHOD_AUTO || options.method == KR_METHOD_NEWTON_SCHULZ;
  const bool may_round = a_batch->dtype == KR_F32 && is_iterated;
  check.option(options.precision == KR_PRECISION_FULL || (options.precision == KR_PRECISION_BF16 && may_round),
               "precision", "FULL (0) or, for f32 and NEWTON_SCHULZ, BF16 (1)", options.precision);
  check.option(options.method == KR_METHOD_AUTO ||
                   (options.method >= KR_METHOD_NEWTON_SCHULZ && options.method <= KR_METHOD_POLAR),
               "method", "AUTO (0), NEWTON_SCHULZ (5), GRAM_NEWTON_SCHULZ (6) or POLAR (7)", options.method);
  check.option(options.table >= KR_TABLE_QUINTIC && options.table <= KR_TABLE_CUSTOM, "table", "a kr_table (0 to 8)",
               options.table);
  check.option(options.steps >= 0 && options.steps <= max_orthogonalize_steps, "steps", "an integer from 0 to 1000",
               options.steps);
  if (options.table == KR_TABLE_CUSTOM) {
    check.option(options.coefficient_count >= 1 && options.coefficient_count <= max_orthogonalize_steps,
                 "coefficient_count", "an integer from 1 to 1000", options.coefficient_count);
    check.option(options.coefficients != nullptr, "coefficients", "3 * coefficient_count numbers", 0);
    for (int64_t i = 0; !check.failed() && i < 3 * int64_t{options.coefficient_count}; ++i) {
      check.option(std::isfinite(options.coefficients[i]), "coefficients", "finite numbers", options.coefficients[i]);
    }
  }
  check.option(options.polar_express_lower >= 0 && options.polar_express_lower < 1, "polar_express_lower",
               "a number from 0 to 1, 1 excluded", options.polar_express_lower);
  check.option(options.polar_express_cushion >= 0 && options.polar_express_cushion < 1, "polar_express_cushion",
               "a number from 0 to 1, 1 excluded", options.polar_express_cushion);
  check.option(finite_and_not_negative(options.safety), "safety", "a finite number >= 0", options.safety);
  check.disjoint(x, a);
  return check.code();
}

kr_code check_cholesky(const kr_call* call, const kr_cholesky_options* given, const kr_batch* a_batch,
                       const kr_batch* l_batch) {
  const Operand a{"a", a_batch, Role::input}, l{"l", l_batch, Role::output};
  Check check(call);
  check.well_formed({a, l});
  if (check.failed()) return check.code();
  check.square(a);
  check.rows(l, a_batch->rows, "rows of a");
  check.cols(l, a_batch->rows, "rows of a");
  check_cholesky_ridge(check, options_or_default(given));
  check.disjoint_or_same(l, a);
  return check.code();
}

kr_code check_spd_inverse(const kr_call* call, const kr_spd_inverse_options* given, const kr_batch* a_batch,
                          const kr_batch* x_batch) {
  const Operand a{"a", a_batch, Role::input}, x{"x", x_batch, Role::output};
  Check check(call);
  check.well_formed({a, x});
  if (check.failed()) return check.code();
  check.square(a);
  check.rows(x, a_batch->rows, "rows of a");
  check.cols(x, a_batch->rows, "rows of a");
  check_cholesky_ridge(check, options_or_default(given));
  check.disjoint_or_same(x, a);
  return check.code();
}

kr_code check_spd_solve(const kr_call* call, const kr_spd_solve_options* given, const kr_batch* a_batch,
                        const kr_batch* b_batch, const kr_batch* x_batch) {
  const Operand a{"a", a_batch, Role::input}, b{"b", b_batch, Role::input}, x{"x", x_batch, Role::output};
  Check check(call);
  check.well_formed({a, b, x});
  if (check.failed()) return check.code();
  check.square(a);
  check.rows(b, a_batch->rows, "rows of a");
  check.rows(x, a_batch->rows, "rows of a");
  check.cols(x, b_batch->cols, "columns of b");
  check_cholesky_ridge(check, options_or_default(given));
  check.disjoint(x, a);
  check.disjoint_or_same(x, b);
  return check.code();
}

kr_code check_kron_apply(const kr_call* call, const kr_kron_apply_options*, const kr_batch* a_batch,
                         const kr_batch* x_batch, const kr_batch* b_batch, const kr_batch* y_batch) {
  const Operand a{"a", a_batch, Role::input}, x{"x", x_batch, Role::input}, b{"b", b_batch, Role::input},
      y{"y", y_batch, Role::output};
  Check check(call);
  check.well_formed({x, y});
  // a and b may be the identity.
  if (a_batch != nullptr) check.well_formed({x, a});
  if (b_batch != nullptr) check.well_formed({x, b});
  if (check.failed()) return check.code();
  check.rows(y, x_batch->rows, "rows of x");
  check.cols(y, x_batch->cols, "columns of x");
  if (a_batch != nullptr) {
    check.rows(a, x_batch->rows, "rows of x");
    check.cols(a, x_batch->rows, "rows of x");
    check.disjoint(y, a);
  }
  if (b_batch != nullptr) {
    check.rows(b, x_batch->cols, "columns of x");
    check.cols(b, x_batch->cols, "columns of x");
    check.disjoint(y, b);
  }
  check.disjoint(y, x);
  return check.code();
}

kr_code check_mode_product(const kr_call* call, const kr_mode_product_options* given, const kr_batch* x_batch,
                           const kr_batch* const* factors, const kr_batch* y_batch) {
  const kr_mode_product_options options = options_or_default(given);
  const Operand x{"x", x_batch, Role::input}, y{"y", y_batch, Role::output};
  Check check(call);
  check.well_formed({x, y});
  check.option(options.order >= 0 && options.order <= KR_MOST_MODES, "order", "an integer from 0 to 8", options.order);
  check.option(factors != nullptr, "factors", "one descriptor, or NULL, for each mode", 0);
  if (check.failed()) return check.code();
  const int order = options.order == 0 ? 2 : options.order;
  Checked x_rows = 1, y_rows = 1, cols = 1, y_cols = 1;
  for (int i = 0; i < order; ++i) {
    const int64_t from = options.order != 0 ? options.dims[i] : i == 0 ? x_batch->rows : x_batch->cols;
    check.option(from >= 0, "dims", "integers >= 0", static_cast<double>(from));
    int64_t to = from;
    if (factors[i] != nullptr) {
      const std::string name = "factors[" + std::to_string(i) + "]";
      const Operand factor{name.c_str(), factors[i], Role::input};
      check.well_formed({x, factor});
      if (check.failed()) return check.code();
      const bool is_transposed = (options.transpose >> i & 1) != 0;
      const std::string meaning = "dimension " + std::to_string(i) + " of x";
      if (is_transposed) {
        check.rows(factor, from, meaning.c_str());
      } else {
        check.cols(factor, from, meaning.c_str());
      }
      check.disjoint(y, factor);
      to = is_transposed ? factors[i]->cols : factors[i]->rows;
    }
    (i + 1 < order ? x_rows : cols) = (i + 1 < order ? x_rows : cols) * from;
    (i + 1 < order ? y_rows : y_cols) = (i + 1 < order ? y_rows : y_cols) * to;
    if (check.failed()) return check.code();
  }
  check.rows(x, x_rows.value(), "product of all dims but the last");
  check.cols(x, cols.value(), "the last of the dims");
  check.rows(y, y_rows.value(), "product of all dimensions of Y but the last");
  check.cols(y, y_cols.value(), "last dimension of Y");
  check.without_gaps(x);
  check.without_gaps(y);
  check.disjoint(y, x);
  return check.code();
}

}  // namespace kronroot
