// orthogonalize of the CPU: the bounds of ops.h against the reference, and the defined answers.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "native/core/orthogonalize_schedule.hpp"
#include "test/native/cpu/root_answer.hpp"

using namespace kronroot;
using namespace kronroot::test;

namespace {

kr_orthogonalize_options options_of(kr_method method, int table = KR_TABLE_QUINTIC, int steps = 0) {
  kr_orthogonalize_options options{};
  options.method = method;
  options.table = table;
  options.steps = steps;
  return options;
}

template <typename T>
Batch<T> normal_matrix(int64_t m, int64_t n, uint64_t seed, double scale = 1) {
  MatrixSource source(seed);
  Batch<T> a(1, m, n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) a(i, j) = static_cast<T>(scale * source.normal());
  }
  return a;
}

// m x n, m <= n, with the singular values given.
template <typename T>
Batch<T> with_singular_values(const std::vector<double>& sigma, int64_t n, uint64_t seed) {
  const auto m = static_cast<int64_t>(sigma.size());
  MatrixSource source(seed);
  const Dense u = source.with_eigenvalues([&] {
    std::vector<double> signs(sigma.size());
    for (double& each : signs) each = source.integer(2) == 0 ? 1 : -1;
    return signs;
  }());
  std::vector<double> signs(static_cast<size_t>(n));
  for (double& each : signs) each = source.integer(2) == 0 ? 1 : -1;
  const Dense v = source.with_eigenvalues(signs);
  Batch<T> a(1, m, n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < m; ++k) {
        sum += u[static_cast<size_t>(i * m + k)] * sigma[static_cast<size_t>(k)] * v[static_cast<size_t>(k * n + j)];
      }
      a(i, j) = static_cast<T>(sum);
    }
  }
  return a;
}

template <typename T>
struct Answer {
  Answer(const Batch<T>& a, const kr_orthogonalize_options& options,
         const cpu::KernelSet& kernels = cpu::best_kernels())
      : x(1, a.rows(), a.cols(), T{untouched}) {
    const DeviceCall call(kernels);
    code = cpu::orthogonalize(call.get(), &options, &a, &x, &report);
  }
  bool is_untouched() const {
    return std::all_of(x.data().begin(), x.data().end(), [](T each) { return each == T{untouched}; });
  }
  Batch<T> x;
  kr_report report;
  kr_code code;
};

template <typename T>
Batch<double> widened_matrix(const Batch<T>& a) {
  Batch<double> wide(1, a.rows(), a.cols());
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < a.cols(); ++j) wide(i, j) = a.data()[static_cast<size_t>(i * a.cols() + j)];
  }
  return wide;
}

// The reference in f64, from the same input.
template <typename T>
Batch<double> exact(const Batch<T>& a, const kr_orthogonalize_options& options) {
  const Batch<double> wide = widened_matrix(a);
  Batch<double> x(1, a.rows(), a.cols());
  EXPECT(kr_reference_backend()->orthogonalize(Call().get(), &options, &wide, &x, nullptr) == KR_OK);
  return x;
}

template <typename T>
Batch<T> transposed(const Batch<T>& a) {
  Batch<T> t(1, a.cols(), a.rows());
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < a.cols(); ++j) t(j, i) = a.data()[static_cast<size_t>(i * a.cols() + j)];
  }
  return t;
}

// max(1, max |s P'(s)| over [0, 1]) of the composed polynomial.
double steepness(const kr_orthogonalize_options& options) {
  std::vector<Quintic> steps(static_cast<size_t>(orthogonalize_schedule(options, nullptr, 0)));
  orthogonalize_schedule(options, steps.data(), static_cast<int>(steps.size()));
  double steepest = 1;
  for (int i = 1; i <= 4000; ++i) {
    double s = i / 4000.0, slope = s;
    for (const Quintic& p : steps) {
      slope *= p.a + s * s * (3 * p.b + s * s * 5 * p.c);
      s *= p.a + s * s * (p.b + s * s * p.c);
    }
    steepest = std::max(steepest, std::abs(slope));
  }
  return steepest;
}

// All sets, and the matrix unit, where there is one, for products of every size.
std::vector<const cpu::KernelSet*> sets_to_check() {
  static const cpu::KernelSet unit_for_all = [] {
    cpu::KernelSet set = cpu::best_kernels();
    set.f32.split_order = 1;
    set.name = "amx for all";
    return set;
  }();
  std::vector<const cpu::KernelSet*> sets = kernel_sets();
  if (unit_for_all.f32.bf16 != nullptr) sets.push_back(&unit_for_all);
  return sets;
}

// "equals the f64 run of the same polynomial within 50 ulp steps sqrt(min(m, n)) L"
template <typename T>
void check_newton_schulz(const Batch<T>& a, const kr_orthogonalize_options& options) {
  for (const cpu::KernelSet* kernels : sets_to_check()) {
    const Answer<T> answer(a, options, *kernels);
    const std::string where = std::string(type_name<T>) + " " + std::to_string(a.rows()) + " x " +
                              std::to_string(a.cols()) + " table " + std::to_string(options.table) + " method " +
                              std::to_string(options.method) + " " + kernels->name;
    check(answer.report.status == KR_STATUS_OK, where, "status", answer.report.status);
    const double smaller = static_cast<double>(std::min(a.rows(), a.cols()));
    const double bound = 50 * ulp_of<T> * answer.report.iterations * std::sqrt(smaller) * steepness(options);
    const double error = relative_error(answer.x, exact(a, options));
    check(error <= bound, where, "error / bound", error / bound);
  }
}

template <typename T>
void check_tables() {
  const int64_t shapes[][2] = {{1, 1}, {1, 7}, {2, 2}, {5, 3}, {16, 16}, {17, 40}, {64, 31}};
  for (const auto& shape : shapes) {
    const Batch<T> a = normal_matrix<T>(shape[0], shape[1], 9);
    for (int table = KR_TABLE_QUINTIC; table <= KR_TABLE_MODULA; ++table) {
      for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_GRAM_NEWTON_SCHULZ}) {
        check_newton_schulz(a, options_of(method, table));
        check_newton_schulz(a, options_of(method, table, 3));
      }
    }
  }
}

// |X - U V^T|_F <= 100 ulp (sigma_max / sigma_min) sqrt(n) |X|_F
template <typename T>
void check_polar(double smallest, int64_t m, int64_t n, bool clustered) {
  std::vector<double> sigma(static_cast<size_t>(m));
  for (int64_t i = 0; i < m; ++i) {
    const double t = m > 1 ? static_cast<double>(i) / static_cast<double>(m - 1) : 0;
    sigma[static_cast<size_t>(i)] = clustered ? (i % 2 == 0 ? 1 : smallest) : std::pow(smallest, t);
  }
  const Batch<T> a = with_singular_values<T>(sigma, n, 6);
  const auto options = options_of(KR_METHOD_POLAR);
  const Answer<T> answer(a, options);
  EXPECT(answer.report.status == KR_STATUS_OK && answer.report.method == KR_METHOD_POLAR);
  const double bound = 100 * ulp_of<T> / smallest * std::sqrt(static_cast<double>(n));
  const double error = relative_error(answer.x, exact(a, options));
  check(error <= bound, std::string(type_name<T>) + " sigma_min " + std::to_string(-std::log10(smallest)),
        "error / bound", error / bound);
  // Singular values near their own rounding are known to a factor of two.
  const bool is_near_rounding = smallest <= 200 * static_cast<double>(m) * ulp_of<T>;
  EXPECT_NEAR(answer.report.condition * smallest, 1, is_near_rounding ? 0.5 : 0.05);
  check(answer.report.residual < 1e3 * ulp_of<T>,
        std::to_string(m) + " sigma_min 1e" + std::to_string(std::log10(smallest)), "residual / ulp",
        answer.report.residual / ulp_of<T>);
}

}  // namespace

TEST("orthogonalize: every table and form within its bound of the f64 run") {
  check_tables<float>();
  check_tables<double>();
}

TEST("orthogonalize: in bf16 within 2^-4 of the f64 run, whatever the shape and scale") {
  const int64_t shapes[][2] = {{1, 1},   {1, 7},    {7, 1},    {15, 16},  {17, 33},  {33, 17},
                               {64, 64}, {100, 32}, {70, 200}, {128, 97}, {256, 31}, {200, 256}};
  for (const auto& shape : shapes) {
    for (int table : {KR_TABLE_QUINTIC, KR_TABLE_JIACHENG, KR_TABLE_CUBIC, KR_TABLE_AOL}) {
      // The first of the cubics takes a singular value of 1 to 0.02, a difference of numbers above 3.
      if (table == KR_TABLE_CUBIC && std::min(shape[0], shape[1]) == 1) continue;
      const kr_orthogonalize_options full = options_of(KR_METHOD_NEWTON_SCHULZ, table);
      kr_orthogonalize_options options = full;
      options.precision = KR_PRECISION_BF16;
      for (double scale : {1.0, 1e-30, 1e30, 1e-43}) {
        const Batch<float> a = normal_matrix<float>(shape[0], shape[1], 9, scale);
        const Answer<float> answer(a, options);
        const std::string where =
            std::to_string(shape[0]) + " x " + std::to_string(shape[1]) + " table " + std::to_string(table);
        check(answer.report.status == KR_STATUS_OK, where, "status", answer.report.status);
        const double error = relative_error(answer.x, exact(a, full));
        check(error <= 0x1p-4, where, "error", error);
      }
    }
  }
}

TEST("orthogonalize: in bf16 zero, not finite and diverging matrices are answered as in f32, threads change no bits") {
  kr_orthogonalize_options options = options_of(KR_METHOD_NEWTON_SCHULZ);
  options.precision = KR_PRECISION_BF16;
  const Answer<float> zero(Batch<float>(1, 40, 60), options);
  EXPECT(zero.report.status == KR_STATUS_RANK_DEFICIENT && zero.report.detail == 0 && zero.report.residual == 0);
  EXPECT(std::all_of(zero.x.data().begin(), zero.x.data().end(), [](float each) { return each == 0; }));
  for (float bad : {nan_of<float>, infinity_of<float>, -infinity_of<float>}) {
    Batch<float> a = normal_matrix<float>(40, 60, 1);
    a(39, 59) = bad;
    const Answer<float> answer(a, options);
    EXPECT(answer.report.status == KR_STATUS_NON_FINITE_INPUT && answer.is_untouched());
  }
  const double explosive[] = {1e10, 1e10, 1e10};
  options.table = KR_TABLE_CUSTOM;
  options.steps = 6;
  options.coefficient_count = 1;
  options.coefficients = explosive;
  for (const auto& shape : {std::pair(40, 60), std::pair(60, 40)}) {
    const Answer<float> answer(normal_matrix<float>(shape.first, shape.second, 1), options);
    EXPECT(answer.report.status == KR_STATUS_OVERFLOW && answer.is_untouched());
  }
  // One step of p(s) = a s: large is no reason to fail, an operand and its m products beyond f32 are, with the unit.
  options.steps = 1;
  for (const auto& [a, status] : {std::pair(1e30, KR_STATUS_OK), std::pair(3e38, KR_STATUS_OVERFLOW)}) {
    if (status == KR_STATUS_OVERFLOW && cpu::best_kernels().f32.bf16 == nullptr) continue;  // f32 reaches further
    const double linear[] = {a, 0, 0};
    options.coefficients = linear;
    const Batch<float> given = normal_matrix<float>(40, 60, 1);
    const Answer<float> answer(given, options);
    EXPECT(answer.report.status == status);
    if (status == KR_STATUS_OVERFLOW) {
      EXPECT(answer.is_untouched());
    } else {
      kr_orthogonalize_options full = options;
      full.precision = KR_PRECISION_FULL;
      EXPECT(relative_error(answer.x, exact(given, full)) < 0x1p-7);
    }
  }

  options = options_of(KR_METHOD_NEWTON_SCHULZ);
  options.precision = KR_PRECISION_BF16;
  const int64_t m = 70, n = 90, batch = 6;
  Batch<float> a(batch, m, n), x(batch, m, n), y(batch, m, n);
  for (int64_t b = 0; b < batch; ++b) {
    Batch<float> each = normal_matrix<float>(m, n, static_cast<uint64_t>(b));
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) a(b, i, j) = each(i, j);
    }
    const Answer<float> alone(each, options);
    EXPECT(cpu::orthogonalize(DeviceCall(cpu::best_kernels(), 1).get(), &options, &a, &x, nullptr) == KR_OK);
    for (int64_t i = 0; i < m * n; ++i) {
      const auto at = static_cast<size_t>(i);
      EXPECT(alone.x.data()[at] == x.data()[static_cast<size_t>(b * m * n) + at]);
    }
  }
  EXPECT(cpu::orthogonalize(DeviceCall(cpu::best_kernels(), 2).get(), &options, &a, &y, nullptr) == KR_OK);
  EXPECT(same_bits(x.data(), y.data()));
}

TEST("orthogonalize: larger matrices, wide spectra") {
  check_newton_schulz(normal_matrix<float>(128, 128, 2), options_of(KR_METHOD_AUTO));
  check_newton_schulz(normal_matrix<float>(96, 300, 2), options_of(KR_METHOD_GRAM_NEWTON_SCHULZ));
  std::vector<double> sigma(40);
  for (size_t i = 0; i < sigma.size(); ++i) sigma[i] = std::pow(10, -static_cast<double>(i) / 8);
  const Batch<float> a = with_singular_values<float>(sigma, 70, 3);
  check_newton_schulz(a, options_of(KR_METHOD_NEWTON_SCHULZ, KR_TABLE_POLAR_EXPRESS, 16));
  const Batch<float> narrow = with_singular_values<float>({1, 0.5, 0.1, 0.02, 0.01}, 70, 3);
  check_newton_schulz(narrow, options_of(KR_METHOD_GRAM_NEWTON_SCHULZ, KR_TABLE_POLAR_EXPRESS, 16));
  const Answer<float> express(a, options_of(KR_METHOD_AUTO, KR_TABLE_POLAR_EXPRESS, 16));
  EXPECT(express.report.residual < 1e-4);
}

TEST("orthogonalize: the exact polar factor within its bound") {
  for (bool clustered : {false, true}) {
    for (double smallest : {1.0, 0.1, 1e-3, 1e-5}) {
      for (const auto& shape : {std::pair(1, 1), std::pair(3, 3), std::pair(12, 20), std::pair(24, 24)}) {
        check_polar<float>(shape.first == 1 ? 1 : smallest, shape.first, shape.second, clustered);
        check_polar<double>(shape.first == 1 ? 1 : smallest, shape.first, shape.second, clustered);
      }
    }
    for (double smallest : {1e-7, 1e-9, 1e-12}) check_polar<double>(smallest, 24, 40, clustered);
  }
}

TEST("orthogonalize: singular values below max(m, n) ulp sigma_max contribute nothing to the polar factor") {
  const Batch<float> a = with_singular_values<float>({3, 1, 0.5, 1e-9, 0}, 9, 1);
  const Answer<float> answer(a, options_of(KR_METHOD_POLAR));
  EXPECT(answer.report.status == KR_STATUS_RANK_DEFICIENT && answer.report.detail == 3);
  double squares = 0;
  for (float each : answer.x.data()) squares += static_cast<double>(each) * each;
  EXPECT_NEAR(squares, 3, 1e-5);
  EXPECT(answer.report.residual < 1e-5);
}

TEST("orthogonalize: a transposed matrix gives exactly the transposed result") {
  for (const auto& options : {options_of(KR_METHOD_AUTO), options_of(KR_METHOD_GRAM_NEWTON_SCHULZ),
                              options_of(KR_METHOD_POLAR), options_of(KR_METHOD_AUTO, KR_TABLE_AOL)}) {
    const Batch<float> a = normal_matrix<float>(33, 20, 4);
    EXPECT(same_bits(transposed(Answer<float>(a, options).x).data(), Answer<float>(transposed(a), options).x.data()));
  }
}

TEST("orthogonalize: any scale gives the same result") {
  for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_GRAM_NEWTON_SCHULZ, KR_METHOD_POLAR}) {
    const Answer<float> one(normal_matrix<float>(12, 30, 7), options_of(method));
    for (double scale : {1e-30, 1e-12, 1e12, 1e30}) {
      const Answer<float> other(normal_matrix<float>(12, 30, 7, scale), options_of(method));
      EXPECT(other.report.status == KR_STATUS_OK);
      EXPECT(relative_error(other.x, widened_matrix(one.x)) < 1e-5);
    }
    for (int exponent : {-90, 90}) {
      const Answer<float> other(normal_matrix<float>(12, 30, 7, std::ldexp(1.0, exponent)), options_of(method));
      EXPECT(same_bits(other.x.data(), one.x.data()));
    }
    const Answer<double> tiny(normal_matrix<double>(12, 30, 7, 1e-300), options_of(method));
    EXPECT(tiny.report.status == KR_STATUS_OK && tiny.report.residual < 1);
  }
}

TEST("orthogonalize: zero, empty, not finite, diverging") {
  for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_GRAM_NEWTON_SCHULZ, KR_METHOD_POLAR}) {
    const Answer<float> zero(Batch<float>(1, 4, 6), options_of(method));
    EXPECT(zero.report.status == KR_STATUS_RANK_DEFICIENT && zero.report.detail == 0 && zero.report.residual == 0);
    EXPECT(std::all_of(zero.x.data().begin(), zero.x.data().end(), [](float each) { return each == 0; }));
    EXPECT(Answer<float>(Batch<float>(1, 0, 6), options_of(method)).report.status == KR_STATUS_OK);
    for (float bad : {nan_of<float>, infinity_of<float>}) {
      Batch<float> a = normal_matrix<float>(4, 6, 1);
      a(2, 5) = bad;
      const Answer<float> answer(a, options_of(method));
      EXPECT(answer.report.status == KR_STATUS_NON_FINITE_INPUT && answer.is_untouched());
    }
  }
  const double explosive[] = {1e10, 1e10, 1e10};
  kr_orthogonalize_options custom = options_of(KR_METHOD_AUTO, KR_TABLE_CUSTOM, 6);
  custom.coefficient_count = 1;
  custom.coefficients = explosive;
  const Answer<float> answer(normal_matrix<float>(4, 6, 1), custom);
  EXPECT(answer.report.status == KR_STATUS_OVERFLOW && answer.is_untouched());
}

TEST("orthogonalize: safety divides the start, custom tables are run as given") {
  // One step of p(s) = s with safety 2: A / (2 |A|_F).
  const double identity[] = {1, 0, 0};
  kr_orthogonalize_options custom = options_of(KR_METHOD_AUTO, KR_TABLE_CUSTOM, 1);
  custom.coefficient_count = 1;
  custom.coefficients = identity;
  custom.safety = 2;
  Answer<double> answer(Batch<double>{{3, 0}, {0, 4}}, custom);
  EXPECT_NEAR(answer.x(0, 0), 0.3, 1e-15);
  EXPECT_NEAR(answer.x(1, 1), 0.4, 1e-15);
}

TEST("orthogonalize: poisoned neighbours and threads change no bits") {
  const int64_t m = 20, n = 48, batch = 5;
  Batch<float> a(batch, m, n), bad(batch, m, n), x(batch, m, n), y(batch, m, n);
  MatrixSource source(3);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) bad(b, i, j) = a(b, i, j) = static_cast<float>(source.normal());
    }
  }
  bad(3, 4, 5) = nan_of<float>;
  for (kr_method method : {KR_METHOD_AUTO, KR_METHOD_GRAM_NEWTON_SCHULZ, KR_METHOD_POLAR}) {
    const auto options = options_of(method);
    std::vector<kr_report> reports(batch);
    EXPECT(cpu::orthogonalize(DeviceCall(cpu::best_kernels(), 1).get(), &options, &a, &x, nullptr) == KR_OK);
    EXPECT(cpu::orthogonalize(DeviceCall(cpu::best_kernels(), 2).get(), &options, &bad, &y, reports.data()) == KR_OK);
    EXPECT(reports[3].status == KR_STATUS_NON_FINITE_INPUT);
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) EXPECT(b == 3 || x(b, i, j) == y(b, i, j));
      }
    }
  }
}

// Shampoo is steepest descent under the spectral norm: (G G^T)^{-1/4} G (G^T G)^{-1/4} = U V^T.
TEST("orthogonalize, inverse_root: (G G^T)^{-1/4} G (G^T G)^{-1/4} is the polar factor of G") {
  const int64_t m = 24, n = 24;
  const double condition = 30;
  std::vector<double> sigma(static_cast<size_t>(m));
  for (int64_t i = 0; i < m; ++i)
    sigma[static_cast<size_t>(i)] = std::pow(condition, -static_cast<double>(i) / (m - 1));
  const Batch<double> g = with_singular_values<double>(sigma, n, 12);
  const DeviceCall call(cpu::best_kernels());
  Batch<double> left(1, m, m), right(1, n, n), half(1, m, n), product(1, m, n);
  kr_gram_options side{};
  EXPECT(cpu::gram(call.get(), &side, &g, &left) == KR_OK);
  side.side = KR_SIDE_RIGHT;
  EXPECT(cpu::gram(call.get(), &side, &g, &right) == KR_OK);
  for (kr_method method : {KR_METHOD_EIGH, KR_METHOD_MINIMAX, KR_METHOD_COUPLED_NEWTON}) {
    const auto root = root_options(4, 1, KR_RIDGE_NONE, 0, method);
    const RootAnswer<double> l(left, m, root), r(right, n, root);
    EXPECT(l.report.status == KR_STATUS_OK && r.report.status == KR_STATUS_OK);
    EXPECT(cpu::kron_apply(call.get(), nullptr, &l.x, &g, &r.x, &product) == KR_OK);
    // Roots are good to 100 n ulp condition^2, the condition of the Gram matrices; the polar factor to less.
    const double bound = 200 * static_cast<double>(n) * ulp_of<double> * condition * condition;
    const Answer<double> polar(g, options_of(KR_METHOD_POLAR));
    EXPECT(relative_error(product, polar.x) < bound);
    const Answer<double> iterated(g, options_of(KR_METHOD_NEWTON_SCHULZ, KR_TABLE_POLAR_EXPRESS, 16));
    EXPECT(relative_error(iterated.x, polar.x) < 1e-12);
  }
}
