// Every check fails with the name of the argument in its message.
#include "native/core/check.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "../batch.hpp"
#include "../expect.hpp"
#include "native/core/checked.hpp"

using namespace kronroot;
using kronroot::test::Batch;
using kronroot::test::Call;

namespace {

// check(call) has to return `code` with a message that starts with `argument` and contains `part`.
template <typename Check>
void expect_refused(int line, kr_code code, const std::string& argument, const std::string& part, Check check) {
  Call call;
  const kr_code got = check(call.get());
  test::expect(got == code, ("code of " + argument).c_str(), __FILE__, line);
  test::expect(call.message().rfind(argument + ": ", 0) == 0, call.message().c_str(), __FILE__, line);
  test::expect_contains(call.message(), part, __FILE__, line);
  test::expect(check(nullptr) == code, "the code without a call to write a message to", __FILE__, line);
}
#define EXPECT_REFUSED(code, argument, part, expression) \
  expect_refused(__LINE__, code, argument, part, [&](const kr_call* call) { return expression; })
#define EXPECT_ACCEPTED(expression)       \
  do {                                    \
    Call accepted;                        \
    const kr_call* call = accepted.get(); \
    EXPECT((expression) == KR_OK);        \
    EXPECT(accepted.message().empty());   \
  } while (false)

const double infinity = std::numeric_limits<double>::infinity();
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

// A descriptor over memory that is never touched.
kr_batch described(void* data, int64_t batch, int64_t rows, int64_t cols) {
  return {data, KR_F32, 0, batch, rows, cols, cols, (Checked(rows) * cols).value()};
}

}  // namespace

TEST("fail: writes and cuts the message") {
  char text[8] = "";
  const kr_call call{nullptr, nullptr, text, sizeof text};
  EXPECT(fail(&call, KR_BAD_SHAPE, "a: %s", "expected") == KR_BAD_SHAPE);
  EXPECT(std::string(text) == "a: expe");
  EXPECT(fail(nullptr, KR_INTERNAL, "nobody reads this") == KR_INTERNAL);
}

TEST("matmul: shapes, with and without transposition") {
  Batch<float> a(1, 2, 3), b(1, 3, 4), c(1, 2, 4), b4(1, 4, 4);
  EXPECT_ACCEPTED(check_matmul(call, nullptr, &a, &b, &c));
  EXPECT_REFUSED(KR_BAD_SHAPE, "b", "b: expected 3 rows (columns of op(a)), got 4",
                 check_matmul(call, nullptr, &a, &b4, &c));
  const kr_matmul_options transposed{1, 1, 0, 0};
  Batch<float> at(1, 3, 2), bt(1, 4, 3);
  EXPECT_ACCEPTED(check_matmul(call, &transposed, &at, &bt, &c));
  EXPECT_REFUSED(KR_BAD_SHAPE, "b", "expected 2 cols (columns of op(a)), got 3",
                 check_matmul(call, &transposed, &a, &bt, &c));
  EXPECT_REFUSED(KR_BAD_SHAPE, "c", "expected 2 rows (rows of op(a)), got 3", check_matmul(call, nullptr, &a, &b, &at));
  EXPECT_REFUSED(KR_BAD_SHAPE, "c", "expected 4 cols (columns of op(b)), got 2",
                 check_matmul(call, nullptr, &at, kronroot::test::Batch<float>(1, 2, 4).operator&(), &at));
}

TEST("matmul: alpha and beta are finite in the dtype") {
  Batch<float> a(1, 2, 2), b(1, 2, 2), c(1, 2, 2);
  Batch<double> a64(1, 2, 2), b64(1, 2, 2), c64(1, 2, 2);
  const kr_matmul_options huge{0, 0, 1e300, 0}, not_finite{0, 0, 1, not_a_number};
  EXPECT_REFUSED(KR_BAD_OPTION, "alpha", "f32", check_matmul(call, &huge, &a, &b, &c));
  EXPECT_ACCEPTED(check_matmul(call, &huge, &a64, &b64, &c64));
  EXPECT_REFUSED(KR_BAD_OPTION, "beta", "nan", check_matmul(call, &not_finite, &a64, &b64, &c64));
}

TEST("descriptors: missing, dtype, sizes, strides, data") {
  Batch<float> a(2, 3, 3), x(2, 3, 3);
  Batch<double> x64(2, 3, 3);
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "NULL", check_inverse_root(call, nullptr, nullptr, &x));
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "NULL", check_inverse_root(call, nullptr, &a, nullptr));
  EXPECT_REFUSED(KR_BAD_DTYPE, "x", "expected f32 (as a), got f64", check_inverse_root(call, nullptr, &a, &x64));
  kr_batch bad = *&a;
  bad.dtype = 7;
  EXPECT_REFUSED(KR_BAD_DTYPE, "a", "got 7", check_inverse_root(call, nullptr, &bad, &x));
  for (int64_t kr_batch::*size : {&kr_batch::batch, &kr_batch::rows, &kr_batch::cols}) {
    bad = *&a;
    bad.*size = -1;
    EXPECT_REFUSED(KR_BAD_SHAPE, "a", ">= 0", check_inverse_root(call, nullptr, &bad, &x));
  }
  bad = *&a;
  bad.row_stride = 2;
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "row_stride >= 3", check_inverse_root(call, nullptr, &bad, &x));
  bad = *&a;
  bad.batch_stride = -9;
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "batch_stride >= 0, got -9", check_inverse_root(call, nullptr, &bad, &x));
  bad = *&a;
  bad.data = nullptr;
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "data", check_inverse_root(call, nullptr, &bad, &x));
  bad = *&a;
  bad.data = static_cast<char*>(bad.data) + 2;
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "aligned", check_inverse_root(call, nullptr, &bad, &x));
  bad = *&a;
  bad.batch = 1;
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "expected a batch of 2 (as x), got 1",
                 check_kron_apply(call, nullptr, &bad, &x, nullptr, Batch<float>(2, 3, 3).operator&()));
}

TEST("descriptors: empty batches and matrices need no data") {
  const kr_batch no_matrices = described(nullptr, 0, 5, 5), no_rows = described(nullptr, 4, 0, 0);
  EXPECT_ACCEPTED(check_inverse_root(call, nullptr, &no_matrices, &no_matrices));
  EXPECT_ACCEPTED(check_inverse_root(call, nullptr, &no_rows, &no_rows));
  Batch<float> c(1, 2, 2);
  const kr_batch a = described(nullptr, 1, 2, 0), b = described(nullptr, 1, 0, 2);
  EXPECT_ACCEPTED(check_matmul(call, nullptr, &a, &b, &c));
}

TEST("descriptors: sizes that 64 bits do not hold") {
  Batch<float> x(1, 2, 2);
  const int64_t large = int64_t{1} << 40;
  kr_batch a = described(x.descriptor().data, 1, large, large);
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "fits in memory", check_cholesky(call, nullptr, &a, &x));
  a = described(x.descriptor().data, int64_t{1} << 62, 2, 2);
  a.batch_stride = 4;
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "fits in memory", check_cholesky(call, nullptr, &a, &x));
  a = described(x.descriptor().data, std::numeric_limits<int64_t>::max(), 2, 2);
  a.batch_stride = 0;  // broadcast: four elements, however large the batch
  kr_batch output = a;
  output.batch_stride = 4;
  EXPECT_REFUSED(KR_BAD_SHAPE, "l", "fits in memory", check_cholesky(call, nullptr, &a, &output));
}

TEST("descriptors: inputs broadcast, output matrices stay apart") {
  Batch<float> a(3, 2, 2), x(3, 2, 2);
  kr_batch broadcast = *&a;
  broadcast.batch_stride = 0;
  EXPECT_ACCEPTED(check_inverse_root(call, nullptr, &broadcast, &x));
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "do not overlap", check_inverse_root(call, nullptr, &a, &broadcast));
  kr_batch output = *&x;
  output.batch_stride = 3;
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "do not overlap", check_inverse_root(call, nullptr, &a, &output));
  // Three matrices side by side in rows of six: columns 0-1, 2-3, 4-5.
  output.row_stride = 6;
  output.batch_stride = 2;
  EXPECT_ACCEPTED(check_inverse_root(call, nullptr, &a, &output));
  // In rows of four the third matrix would lie on the second row of the first.
  output.row_stride = 4;
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "do not overlap", check_inverse_root(call, nullptr, &a, &output));
  // In rows of five the third begins behind the first row of the first matrix and ends on its second row.
  output.row_stride = 5;
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "do not overlap", check_inverse_root(call, nullptr, &a, &output));
}

TEST("aliasing: ranges that overlap") {
  Batch<float> memory(1, 8, 4);
  auto* data = static_cast<float*>(memory.descriptor().data);
  const kr_batch first = described(data, 1, 4, 4), second = described(data + 16, 1, 4, 4),
                 between = described(data + 8, 1, 4, 4), column = described(data + 28, 1, 4, 1),
                 column_inside = described(data + 3, 1, 4, 1), touching = described(data + 15, 1, 4, 4);
  EXPECT_ACCEPTED(check_orthogonalize(call, nullptr, &first, &second));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from a", check_orthogonalize(call, nullptr, &first, &touching));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from a", check_orthogonalize(call, nullptr, &touching, &first));
  EXPECT_REFUSED(KR_BAD_ALIAS, "c", "apart from a", check_matmul(call, nullptr, &first, &second, &first));
  EXPECT_REFUSED(KR_BAD_ALIAS, "c", "apart from b", check_matmul(call, nullptr, &first, &second, &second));
  EXPECT_REFUSED(KR_BAD_ALIAS, "c", "apart from x", check_gram(call, nullptr, &first, &between));
  EXPECT_REFUSED(KR_BAD_ALIAS, "values", "apart from a", check_eigh(call, nullptr, &first, &column_inside, &second));
  EXPECT_REFUSED(KR_BAD_ALIAS, "vectors", "apart from a", check_eigh(call, nullptr, &first, &column, &first));
  EXPECT_REFUSED(KR_BAD_ALIAS, "vectors", "apart from values", check_eigh(call, nullptr, &first, &column, &second));
  EXPECT_ACCEPTED(check_eigh(call, nullptr, &first, &column, nullptr));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from a", check_orthogonalize(call, nullptr, &first, &first));
  EXPECT_REFUSED(KR_BAD_ALIAS, "y", "apart from x", check_kron_apply(call, nullptr, nullptr, &first, nullptr, &first));
  EXPECT_REFUSED(KR_BAD_ALIAS, "y", "apart from a", check_kron_apply(call, nullptr, &first, &second, nullptr, &first));
  EXPECT_REFUSED(KR_BAD_ALIAS, "y", "apart from b", check_kron_apply(call, nullptr, nullptr, &second, &first, &first));
}

TEST("aliasing: the very same descriptor where the op allows it") {
  Batch<float> memory(1, 12, 4);
  auto* data = static_cast<float*>(memory.descriptor().data);
  const kr_batch first = described(data, 1, 4, 4), between = described(data + 8, 1, 4, 4),
                 last = described(data + 16, 1, 4, 4), past = described(data + 24, 1, 4, 4);
  kr_batch shifted_rows = first;
  shifted_rows.row_stride = 5;
  EXPECT_ACCEPTED(check_inverse_root(call, nullptr, &first, &first));
  EXPECT_ACCEPTED(check_cholesky(call, nullptr, &first, &first));
  EXPECT_ACCEPTED(check_spd_inverse(call, nullptr, &first, &first));
  EXPECT_ACCEPTED(check_spd_solve(call, nullptr, &first, &last, &last));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from a", check_inverse_root(call, nullptr, &first, &between));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from a", check_inverse_root(call, nullptr, &first, &shifted_rows));
  EXPECT_REFUSED(KR_BAD_ALIAS, "l", "apart from a", check_cholesky(call, nullptr, &first, &between));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from a", check_spd_inverse(call, nullptr, &first, &between));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from a", check_spd_solve(call, nullptr, &first, &last, &first));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from b", check_spd_solve(call, nullptr, &first, &last, &past));
}

TEST("gram: shapes and side") {
  Batch<double> x(1, 2, 3), left(1, 2, 2), right(1, 3, 3);
  const kr_gram_options other{KR_SIDE_RIGHT, 0, 0, 0}, none{2, 0, 0, 0}, bad_alpha{0, 0, infinity, 0},
      bad_beta{0, 0, 0, not_a_number};
  EXPECT_ACCEPTED(check_gram(call, nullptr, &x, &left));
  EXPECT_ACCEPTED(check_gram(call, &other, &x, &right));
  EXPECT_REFUSED(KR_BAD_SHAPE, "c", "expected 3 rows (columns of x), got 2", check_gram(call, &other, &x, &left));
  EXPECT_REFUSED(KR_BAD_OPTION, "side", "got 2", check_gram(call, &none, &x, &left));
  EXPECT_REFUSED(KR_BAD_OPTION, "alpha", "inf", check_gram(call, &bad_alpha, &x, &left));
  EXPECT_REFUSED(KR_BAD_OPTION, "beta", "nan", check_gram(call, &bad_beta, &x, &left));
}

TEST("eigh: shapes") {
  Batch<double> a(1, 3, 3), wide(1, 2, 3), values(1, 3, 1), row(1, 1, 3), flat(1, 3, 3), vectors(1, 3, 3);
  EXPECT_ACCEPTED(check_eigh(call, nullptr, &a, &values, &vectors));
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "square", check_eigh(call, nullptr, &wide, &values, &vectors));
  EXPECT_REFUSED(KR_BAD_SHAPE, "values", "expected 3 rows", check_eigh(call, nullptr, &a, &row, &vectors));
  EXPECT_REFUSED(KR_BAD_SHAPE, "values", "expected 1 cols", check_eigh(call, nullptr, &a, &flat, &vectors));
  EXPECT_REFUSED(KR_BAD_SHAPE, "vectors", "expected 3 rows", check_eigh(call, nullptr, &a, &values, &wide));
}

TEST("eigh: options") {
  Batch<double> a(1, 3, 3), values(1, 3, 1), vectors(1, 3, 3);
  kr_eigh_options options{KR_REFRESH_ITERATE, 0, 0.5};
  EXPECT_ACCEPTED(check_eigh(call, &options, &a, &values, &vectors));
  EXPECT_REFUSED(KR_BAD_OPTION, "refresh", "without vectors", check_eigh(call, &options, &a, &values, nullptr));
  for (double tolerance : {-0.1, 1.0, std::nan("")}) {
    options.refresh_tolerance = tolerance;
    EXPECT_REFUSED(KR_BAD_OPTION, "refresh_tolerance", "below 1", check_eigh(call, &options, &a, &values, &vectors));
  }
  options = {3, 0, 0};
  EXPECT_REFUSED(KR_BAD_OPTION, "refresh", "kr_refresh", check_eigh(call, &options, &a, &values, &vectors));
}

TEST("inverse_root: options") {
  Batch<float> a(1, 2, 2), x(1, 2, 2), wide(1, 2, 3);
  const auto check = [&](const kr_call* call, auto change) {
    kr_inverse_root_options options{};
    change(options);
    return check_inverse_root(call, &options, &a, &x);
  };
#define OPTION(assignment) check(call, [&](kr_inverse_root_options& o) { assignment; })
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "square", check_inverse_root(call, nullptr, &wide, &x));
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "cols", check_inverse_root(call, nullptr, &a, &wide));
  EXPECT_ACCEPTED(OPTION((o.p_numerator = -64, o.p_denominator = 64)));
  EXPECT_REFUSED(KR_BAD_OPTION, "p_numerator", "got 0", OPTION(o.p_denominator = 1));
  EXPECT_REFUSED(KR_BAD_OPTION, "p_numerator", "got 65", OPTION((o.p_numerator = 65, o.p_denominator = 1)));
  EXPECT_REFUSED(KR_BAD_OPTION, "p_numerator", "got -2147483648",
                 OPTION((o.p_numerator = std::numeric_limits<int32_t>::min(), o.p_denominator = 1)));
  EXPECT_REFUSED(KR_BAD_OPTION, "p_denominator", "got 0", OPTION(o.p_numerator = 4));
  EXPECT_REFUSED(KR_BAD_OPTION, "p_denominator", "got -3", OPTION((o.p_numerator = 4, o.p_denominator = -3)));
  EXPECT_REFUSED(KR_BAD_OPTION, "p_denominator", "got 65", OPTION((o.p_numerator = 4, o.p_denominator = 65)));
  EXPECT_REFUSED(KR_BAD_OPTION, "method", "got 4", OPTION(o.method = KR_METHOD_CHOLESKY));
  EXPECT_REFUSED(KR_BAD_OPTION, "method", "got -1", OPTION(o.method = -1));
  EXPECT_REFUSED(KR_BAD_OPTION, "ridge", "got 6", OPTION(o.ridge = 6));
  EXPECT_REFUSED(KR_BAD_OPTION, "ridge_value", "got -1", OPTION((o.ridge = KR_RIDGE_ABSOLUTE, o.ridge_value = -1)));
  EXPECT_REFUSED(KR_BAD_OPTION, "ridge_value", "nan", OPTION(o.ridge_value = not_a_number));
  EXPECT_REFUSED(KR_BAD_OPTION, "ridge_value", "inf", OPTION(o.ridge_value = infinity));
  EXPECT_REFUSED(KR_BAD_OPTION, "residual_bound", "got -0.1", OPTION(o.residual_bound = -0.1));
  EXPECT_REFUSED(KR_BAD_OPTION, "max_iterations", "got -1", OPTION(o.max_iterations = -1));
#undef OPTION
}

TEST("orthogonalize: options") {
  Batch<float> a(1, 2, 3), x(1, 2, 3), tall(1, 3, 2);
  double triples[6] = {2, -1.5, 0.5, 1, 0, 0};
  const auto check = [&](const kr_call* call, auto change) {
    kr_orthogonalize_options options{};
    change(options);
    return check_orthogonalize(call, &options, &a, &x);
  };
#define OPTION(assignment) check(call, [&](kr_orthogonalize_options& o) { assignment; })
#define CUSTOM(assignment) \
  OPTION((o.table = KR_TABLE_CUSTOM, o.coefficients = triples, o.coefficient_count = 2, assignment))
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "expected 2 rows (rows of a), got 3",
                 check_orthogonalize(call, nullptr, &a, &tall));
  EXPECT_REFUSED(KR_BAD_OPTION, "method", "got 1", OPTION(o.method = KR_METHOD_EIGH));
  EXPECT_REFUSED(KR_BAD_OPTION, "table", "got 9", OPTION(o.table = 9));
  EXPECT_REFUSED(KR_BAD_OPTION, "steps", "got -1", OPTION(o.steps = -1));
  EXPECT_REFUSED(KR_BAD_OPTION, "steps", "got 1001", OPTION(o.steps = 1001));
  EXPECT_ACCEPTED(CUSTOM(o.steps = 3));
  EXPECT_REFUSED(KR_BAD_OPTION, "coefficient_count", "got 0", CUSTOM(o.coefficient_count = 0));
  EXPECT_REFUSED(KR_BAD_OPTION, "coefficients", "numbers", CUSTOM(o.coefficients = nullptr));
  triples[4] = not_a_number;
  EXPECT_REFUSED(KR_BAD_OPTION, "coefficients", "finite", CUSTOM(o.steps = 3));
  EXPECT_REFUSED(KR_BAD_OPTION, "polar_express_lower", "got 1", OPTION(o.polar_express_lower = 1));
  EXPECT_REFUSED(KR_BAD_OPTION, "polar_express_cushion", "nan", OPTION(o.polar_express_cushion = not_a_number));
  EXPECT_REFUSED(KR_BAD_OPTION, "safety", "got -1", OPTION(o.safety = -1));
#undef CUSTOM
#undef OPTION
}

TEST("cholesky, spd_inverse, spd_solve: shapes and ridge") {
  Batch<float> a(1, 3, 3), wide(1, 2, 3), l(1, 3, 3), small(1, 2, 2), b(1, 3, 5), x(1, 3, 5);
  const kr_cholesky_options pseudo{KR_RIDGE_PSEUDO_INVERSE, 0, 0}, unknown{-1, 0, 0},
      negative{KR_RIDGE_ABSOLUTE, 0, -1};
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "square", check_cholesky(call, nullptr, &wide, &l));
  EXPECT_REFUSED(KR_BAD_SHAPE, "l", "expected 3 rows", check_cholesky(call, nullptr, &a, &small));
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "expected 3 rows", check_spd_inverse(call, nullptr, &a, &small));
  EXPECT_ACCEPTED(check_spd_solve(call, nullptr, &a, &b, &x));
  EXPECT_REFUSED(KR_BAD_SHAPE, "b", "expected 3 rows", check_spd_solve(call, nullptr, &a, &wide, &x));
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "expected 5 cols (columns of b), got 3",
                 check_spd_solve(call, nullptr, &a, &b, &l));
  EXPECT_REFUSED(KR_BAD_OPTION, "ridge", "PSEUDO_INVERSE", check_cholesky(call, &pseudo, &a, &l));
  EXPECT_REFUSED(KR_BAD_OPTION, "ridge", "got -1", check_spd_inverse(call, &unknown, &a, &l));
  EXPECT_REFUSED(KR_BAD_OPTION, "ridge_value", "got -1", check_spd_solve(call, &negative, &a, &b, &x));
}

TEST("kron_apply: shapes and missing factors") {
  Batch<float> a(1, 2, 2), x(1, 2, 3), b(1, 3, 3), y(1, 2, 3);
  EXPECT_ACCEPTED(check_kron_apply(call, nullptr, &a, &x, &b, &y));
  EXPECT_ACCEPTED(check_kron_apply(call, nullptr, nullptr, &x, nullptr, &y));
  EXPECT_REFUSED(KR_BAD_SHAPE, "x", "NULL", check_kron_apply(call, nullptr, &a, nullptr, &b, &y));
  EXPECT_REFUSED(KR_BAD_SHAPE, "a", "expected 2 rows (rows of x), got 3",
                 check_kron_apply(call, nullptr, &b, &x, &b, &y));
  EXPECT_REFUSED(KR_BAD_SHAPE, "b", "expected 3 rows (columns of x), got 2",
                 check_kron_apply(call, nullptr, &a, &x, &a, &y));
  EXPECT_REFUSED(KR_BAD_SHAPE, "y", "expected 3 cols (columns of x), got 2",
                 check_kron_apply(call, nullptr, &a, &x, &b, &a));
}

TEST("qr: shapes, reduced and complete, and what may be missing") {
  Batch<float> a(1, 4, 3), q(1, 4, 3), r(1, 3, 3), full(1, 4, 4), tall(1, 4, 3);
  const kr_qr_options complete{1, 0};
  EXPECT_ACCEPTED(check_qr(call, nullptr, &a, &q, &r));
  EXPECT_ACCEPTED(check_qr(call, nullptr, &a, &q, nullptr));
  EXPECT_ACCEPTED(check_qr(call, nullptr, &a, nullptr, &r));
  EXPECT_ACCEPTED(check_qr(call, &complete, &a, &full, &tall));
  EXPECT_REFUSED(KR_BAD_SHAPE, "r", "no q", check_qr(call, nullptr, &a, nullptr, nullptr));
  EXPECT_REFUSED(KR_BAD_SHAPE, "q", "expected 3 cols (the shorter side of a), got 4",
                 check_qr(call, nullptr, &a, &full, &r));
  EXPECT_REFUSED(KR_BAD_SHAPE, "q", "expected 4 cols (rows of a), got 3", check_qr(call, &complete, &a, &q, &tall));
  EXPECT_REFUSED(KR_BAD_SHAPE, "r", "expected 4 rows (rows of a), got 3", check_qr(call, &complete, &a, &full, &r));
  EXPECT_REFUSED(KR_BAD_ALIAS, "q", "apart from a", check_qr(call, nullptr, &a, &a, &r));
}

TEST("svd: shapes, and vectors both or none") {
  Batch<float> a(1, 4, 3), s(1, 3, 1), row(1, 1, 3), u(1, 4, 3), v(1, 3, 3), full(1, 4, 4);
  EXPECT_ACCEPTED(check_svd(call, nullptr, &a, &s, &u, &v));
  EXPECT_ACCEPTED(check_svd(call, nullptr, &a, &s, nullptr, nullptr));
  EXPECT_REFUSED(KR_BAD_SHAPE, "s", "expected 3 rows (the shorter side of a), got 1",
                 check_svd(call, nullptr, &a, &row, &u, &v));
  EXPECT_REFUSED(KR_BAD_SHAPE, "u", "expected 3 cols (the shorter side of a), got 4",
                 check_svd(call, nullptr, &a, &s, &full, &v));
  EXPECT_REFUSED(KR_BAD_SHAPE, "v", "NULL", check_svd(call, nullptr, &a, &s, &u, nullptr));
  EXPECT_REFUSED(KR_BAD_ALIAS, "u", "apart from a", check_svd(call, nullptr, &a, &s, &a, &v));
}

TEST("triangular_solve: sides, shapes and aliasing") {
  Batch<float> t(1, 3, 3), b(1, 3, 5), x(1, 3, 5), wide(1, 5, 3), y(1, 5, 3);
  kr_triangular_solve_options options{};
  EXPECT_ACCEPTED(check_triangular_solve(call, nullptr, &t, &b, &x));
  EXPECT_ACCEPTED(check_triangular_solve(call, nullptr, &t, &b, &b));
  EXPECT_REFUSED(KR_BAD_SHAPE, "t", "square", check_triangular_solve(call, nullptr, &b, &b, &x));
  EXPECT_REFUSED(KR_BAD_SHAPE, "b", "expected 3 rows (rows of t), got 5",
                 check_triangular_solve(call, nullptr, &t, &wide, &y));
  EXPECT_REFUSED(KR_BAD_ALIAS, "x", "apart from t", check_triangular_solve(call, nullptr, &t, &t, &t));
  options.side = KR_SIDE_RIGHT;
  EXPECT_ACCEPTED(check_triangular_solve(call, &options, &t, &wide, &y));
  EXPECT_REFUSED(KR_BAD_SHAPE, "b", "expected 3 cols (rows of t), got 5",
                 check_triangular_solve(call, &options, &t, &b, &x));
  options.side = 2;
  EXPECT_REFUSED(KR_BAD_OPTION, "side", "got 2", check_triangular_solve(call, &options, &t, &b, &x));
  options = {KR_SIDE_LEFT, 0, 0, 0, infinity};
  EXPECT_REFUSED(KR_BAD_OPTION, "alpha", "inf", check_triangular_solve(call, &options, &t, &b, &x));
}

TEST("norm_estimate: kinds and shapes") {
  Batch<float> a(1, 3, 5), value(1, 1, 1), row(1, 1, 3);
  EXPECT_ACCEPTED(check_norm_estimate(call, nullptr, &a, &value));
  EXPECT_REFUSED(KR_BAD_SHAPE, "values", "expected 1 cols", check_norm_estimate(call, nullptr, &a, &row));
  kr_norm_estimate_options options{6, 0};
  EXPECT_REFUSED(KR_BAD_OPTION, "kind", "got 6", check_norm_estimate(call, &options, &a, &value));
  options = {KR_NORM_SPECTRAL_LOWER, 1001};
  EXPECT_REFUSED(KR_BAD_OPTION, "iterations", "got 1001", check_norm_estimate(call, &options, &a, &value));
}
