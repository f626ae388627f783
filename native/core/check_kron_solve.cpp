// The argument checks of kron_solve.
#include <cmath>

#include "check.hpp"
#include "check_batch.hpp"

namespace kronroot {
namespace {

void check_options(Check& check, const kr_kron_solve_options& options) {
  const auto not_negative = [&check](const char* name, double value) {
    check.option(std::isfinite(value) && value >= 0, name, "a finite number >= 0", value);
  };
  check.option(options.power == KR_KRON_POWER_ONE || options.power == KR_KRON_POWER_HALF, "power",
               "a kr_kron_power (0 or 1)", options.power);
  check.option(options.damping >= KR_RIDGE_DEFAULT && options.damping <= KR_RIDGE_RELATIVE, "damping",
               "KR_RIDGE_DEFAULT, NONE, ABSOLUTE or RELATIVE (0 to 3)", options.damping);
  not_negative("damping_value", options.damping_value);
  not_negative("factor", options.factor);
  not_negative("epsilon", options.epsilon);
  not_negative("beta", options.beta);
  not_negative("weight", options.weight);
}

void check_side(Check& check, const Operand& x, const Operand& vectors, const Operand& values, int64_t size,
                const char* meaning) {
  if (vectors.batch != nullptr) {
    check.well_formed({x, vectors});
    if (check.failed()) return;
    check.rows(vectors, size, meaning);
    check.cols(vectors, size, meaning);
  }
  if (values.batch != nullptr) {
    check.well_formed({x, values});
    if (check.failed()) return;
    check.rows(values, size, meaning);
    check.cols(values, 1, "one eigenvalue a row");
  }
}

}  // namespace

kr_code check_kron_solve(const kr_call* call, const kr_kron_solve_options* given, const kr_kron_bases* given_bases,
                         const kr_batch* scale_batch, const kr_batch* statistics_batch, const kr_batch* x_batch,
                         const kr_batch* y_batch) {
  const kr_kron_bases bases = given_bases == nullptr ? kr_kron_bases{} : *given_bases;
  const Operand x{"x", x_batch, Role::input}, y{"y", y_batch, Role::output}, scale{"scale", scale_batch, Role::input},
      statistics{"statistics", statistics_batch, Role::output};
  const Operand sides[] = {{"a_vectors", bases.a_vectors, Role::input},
                           {"a_values", bases.a_values, Role::input},
                           {"b_vectors", bases.b_vectors, Role::input},
                           {"b_values", bases.b_values, Role::input}};
  Check check(call);
  check.well_formed({x});
  check_options(check, given == nullptr ? kr_kron_solve_options{} : *given);
  if (check.failed()) return check.code();
  if (y_batch == nullptr && statistics_batch == nullptr)
    return fail(call, KR_BAD_SHAPE, "y: expected a descriptor, got NULL, and no statistics");
  if (scale_batch != nullptr && statistics_batch != nullptr) {
    return fail(call, KR_BAD_SHAPE, "scale: expected NULL, since statistics takes its place");
  }
  check_side(check, x, sides[0], sides[1], x_batch->rows, "rows of x");
  check_side(check, x, sides[2], sides[3], x_batch->cols, "columns of x");
  for (const Operand& like_x : {scale, statistics, y}) {
    if (like_x.batch == nullptr) continue;
    check.well_formed({x, like_x});
    if (check.failed()) return check.code();
    check.rows(like_x, x_batch->rows, "rows of x");
    check.cols(like_x, x_batch->cols, "columns of x");
  }
  for (const Operand& output : {statistics, y}) {
    if (output.batch == nullptr) continue;
    for (const Operand& side : sides) {
      if (side.batch != nullptr && !check.failed()) check.disjoint(output, side);
    }
    if (scale_batch != nullptr) check.disjoint(output, scale);
  }
  if (statistics_batch != nullptr) check.disjoint(statistics, x);
  if (y_batch != nullptr) check.disjoint_or_same(y, x);
  if (y_batch != nullptr && statistics_batch != nullptr) check.disjoint(y, statistics);
  return check.code();
}

}  // namespace kronroot
