// The memory that ops.h states for a thread, measured: the deepest stack of scratch memory of a call on one thread.
#include <functional>
#include <string>

#include "native/core/matrix.hpp"
#include "native/core/planner.hpp"
#include "native/cpu/gemm/bf16.hpp"
#include "native/cpu/scratch.hpp"
#include "rectangles.hpp"

namespace {

using namespace kronroot::test;
using kronroot::LaneOp;
using kronroot::cpu::Scratch;

// "a few hundred KiB": tables of rotations and packed operands, whose size does not grow with n.
constexpr double kFixed = 1.5 * (1 << 20);

template <typename T>
Batch<T> definite(int64_t batch, int64_t n) {
  Batch<T> a(batch, n, n);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        a(b, i, j) =
            static_cast<T>(1.0 / static_cast<double>(1 + i + j) + (i == j ? 1 + 0.01 * static_cast<double>(i) : 0));
      }
    }
  }
  return a;
}

// Elements of T beyond what is fixed.
// Of large products on the matrix unit, a thread, beside what ops take for themselves.
constexpr double kParts = 0x1p22;

template <typename T>
bool has_unit() {
  return sizeof(T) == 4 && kronroot::cpu::best_kernels().f32.bf16 != nullptr;
}

template <typename T>
double elements_used(const std::function<void(const kr_call*)>& op) {
  DeviceCall call(kronroot::cpu::best_kernels());
  Scratch::forget_deepest();
  op(call.get());
  return (static_cast<double>(Scratch::deepest()) - kFixed - (has_unit<T>() ? kParts : 0)) / sizeof(T);
}

template <typename T>
void check_alone(int64_t n) {
  const std::string where = std::string(type_name<T>) + " n = " + std::to_string(n);
  const double square = static_cast<double>(n * n);
  const Batch<T> a = definite<T>(1, n);
  Batch<T> x(1, n, n), values(1, n, 1);
  const double eigh =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::eigh(call, nullptr, &a, &values, &x, nullptr); });
  check(eigh <= 4.2 * square, where, "eigh with vectors takes 4.2 n^2", eigh / square);
  const double only =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::eigh(call, nullptr, &a, &values, nullptr, nullptr); });
  check(only <= 2.2 * square, where, "eigh without vectors takes 2.2 n^2", only / square);
  const double cholesky =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::cholesky(call, nullptr, &a, &x, nullptr); });
  check(cholesky <= 1.1 * square, where, "cholesky takes n^2", cholesky / square);
  const double inverse =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::spd_inverse(call, nullptr, &a, &x, nullptr); });
  check(inverse <= 2.2 * square, where, "spd_inverse takes 2 n^2", inverse / square);
  Batch<T> second(1, n, n), third(1, n, n);
  const double qr =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::qr(call, nullptr, &a, &x, &second, nullptr); });
  check(qr <= 3 * square + 128.0 * static_cast<double>(n), where, "qr takes m n + c (m + n) + 64 (m + n)", qr / square);
  const double svd = elements_used<T>(
      [&](const kr_call* call) { kronroot::cpu::svd(call, nullptr, &a, &values, &x, &second, nullptr); });
  check(svd <= 19 * square, where, "svd takes 5 m n + 14 m^2", svd / square);
  const double triangular = elements_used<T>(
      [&](const kr_call* call) { kronroot::cpu::triangular_solve(call, nullptr, &a, &a, &third, nullptr); });
  check(triangular <= 3.1 * square, where, "triangular_solve takes n^2 + 2 n k", triangular / square);
  const double product =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::matmul(call, nullptr, &a, &a, &x); });
  check(product * sizeof(T) <= (has_unit<T>() ? 0 : 0x1p22), where, "matmul takes 4 MiB", product * sizeof(T));
  const double gram = elements_used<T>([&](const kr_call* call) { kronroot::cpu::gram(call, nullptr, &a, &x); });
  check(gram * sizeof(T) <= (has_unit<T>() ? 512.0 * 6 * static_cast<double>(n + 64) - kParts : 0x1p22), where,
        "gram takes 6 m min(k, 512)", gram * sizeof(T));
  Batch<T> norm(1, 1, 1);
  const double spectral =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::norm_estimate(call, nullptr, &a, &norm, nullptr); });
  check(spectral <= 4.1 * square, where, "norm_estimate takes m n + 3 s^2", spectral / square);
  kr_inverse_root_options options{};
  options.p_numerator = 4;
  options.p_denominator = 1;
  const double wide = sizeof(double) / sizeof(T);
  for (const auto& [method, most] : {std::pair(KR_METHOD_EIGH, 7.0), std::pair(KR_METHOD_MINIMAX, 9 + 7 * wide),
                                     std::pair(KR_METHOD_COUPLED_NEWTON, 10.0)}) {
    options.method = method;
    const double root =
        elements_used<T>([&](const kr_call* call) { kronroot::cpu::inverse_root(call, &options, &a, &x, nullptr); });
    check(root <= most * square, where + " method " + std::to_string(method), "inverse_root", root / square);
  }
  const double ns =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::orthogonalize(call, nullptr, &a, &x, nullptr); });
  check(ns <= (has_unit<T>() ? 10.5 : 5) * square, where, "orthogonalize takes 2 m n + 2 m^2, on the unit 5.5 and 4.5",
        ns / square);
  kr_orthogonalize_options in_bf16{};
  in_bf16.precision = sizeof(T) == 4 ? KR_PRECISION_BF16 : KR_PRECISION_FULL;
  const double rounded =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::orthogonalize(call, &in_bf16, &a, &x, nullptr); });
  // 3 forms of X, 3 of m x m matrices, half an element for each number.
  check(rounded <= (has_unit<T>() ? 3.5 : 5) * square, where, "orthogonalize in bf16 takes 1.5 m n + 1.5 m^2",
        rounded / square);
}

TEST("memory: a matrix alone takes what ops.h states") {
  for (const int64_t n : {300, 800}) {
    check_alone<float>(n);
    check_alone<double>(n);
  }
}

template <typename T>
void check_wide_svd(int64_t m, int64_t n) {
  const std::string where = std::string(type_name<T>) + " " + std::to_string(m) + "x" + std::to_string(n);
  const double area = static_cast<double>(m * n), square = static_cast<double>(m * m);
  Batch<T> x(1, m, n), s(1, m, 1), u(1, m, m), v(1, n, m);
  Uniform random(3);
  random.fill(x);
  const double svd =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::svd(call, nullptr, &x, &s, &u, &v, nullptr); });
  check(svd <= 5 * area + 14 * square, where, "svd takes 5 m n + 14 m^2", svd / area);
}

TEST("memory: the svd of wide matrices takes what ops.h states") {
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{300, 500}, {200, 1500}}) {
    check_wide_svd<float>(m, n);
    check_wide_svd<double>(m, n);
  }
}

template <typename T>
void check_kron_solve() {
  constexpr int64_t kRows = 700, kCols = 900;
  constexpr double kArea = kRows * kCols;
  Batch<T> x(1, kRows, kCols), y(1, kRows, kCols), a(1, kRows, kRows), b(1, kCols, kCols), s(1, kRows, kCols, T{1});
  Batch<T> of_a(1, kRows, 1, T{1}), of_b(1, kCols, 1, T{1});
  Uniform random(3);
  random.fill(x);
  for (int64_t i = 0; i < kRows; ++i) a(i, i) = 1;
  for (int64_t i = 0; i < kCols; ++i) b(i, i) = 1;
  const kr_kron_bases bases{&a, &of_a, &b, &of_b};
  kr_kron_solve_options damped{};
  damped.damping = KR_RIDGE_ABSOLUTE;
  damped.damping_value = 1;
  damped.beta = 0.9;
  damped.weight = 0.1;
  for (const bool has_statistics : {false, true}) {
    const double used = elements_used<T>([&](const kr_call* call) {
      kronroot::cpu::kron_solve(call, &damped, &bases, nullptr,
                                has_statistics ? &s : static_cast<const kr_batch*>(nullptr), &x, &y, nullptr);
    });
    check(used <= (has_statistics ? 3.05 : 2.05) * kArea, type_name<T>,
          has_statistics ? "kron_solve with statistics takes 3 m n" : "kron_solve takes 2 m n", used / kArea);
  }
}

TEST("memory: kron_solve takes what ops.h states") {
  check_kron_solve<float>();
  check_kron_solve<double>();
}

template <typename T>
void check_modes() {
  constexpr int64_t kSide = 100;
  Batch<T> x(1, kSide * kSide, kSide, T{1}), y = x, a(1, kSide, kSide, T{1});
  kr_mode_product_options options{};
  options.order = 3;
  std::fill_n(options.dims, 3, kSide);
  const kr_batch* factors[] = {&a, &a, &a};
  const double used =
      elements_used<T>([&](const kr_call* call) { kronroot::cpu::mode_product(call, &options, &x, factors, &y); });
  check(used <= 2.05 * kSide * kSide * kSide, type_name<T>, "mode_product takes two tensors", used);
}

TEST("memory: mode_product takes what ops.h states") {
  check_modes<float>();
  check_modes<double>();
}

// Elements of T for each matrix of a vector.
template <typename T>
double lane_elements(LaneOp op, const std::function<void(const kr_call*)>& run) {
  const kronroot::cpu::KernelSet& set = kronroot::cpu::best_kernels();
  LaneDevice device(op, true, set);
  Scratch::forget_deepest();
  run(device.get());
  const int lanes = kronroot::cpu::kernels_of<T>(set).lanes;
  return static_cast<double>(Scratch::deepest()) / (sizeof(T) * static_cast<double>(lanes));
}

template <typename T>
void check_lanes(int64_t size) {
  constexpr int64_t kBatch = 16;
  const std::string where = std::string(type_name<T>) + " n = " + std::to_string(size);
  const double n = static_cast<double>(size), square = n * n;
  // O(n): some lanes of f64 for each row.
  const double few = 32 * n;
  const Batch<T> a = definite<T>(kBatch, size);
  Batch<T> x(kBatch, size, size), y(kBatch, size, size), z(kBatch, size, size), s(kBatch, size, 1);
  namespace cpu = kronroot::cpu;
  const double cholesky =
      lane_elements<T>(LaneOp::cholesky, [&](const kr_call* call) { cpu::cholesky(call, nullptr, &a, &x, nullptr); });
  check(cholesky <= n * (n + 1) + 12 * n, where, "cholesky takes n (n + 1) + 12 n", cholesky);
  const double inverse = lane_elements<T>(
      LaneOp::spd_inverse, [&](const kr_call* call) { cpu::spd_inverse(call, nullptr, &a, &x, nullptr); });
  check(inverse <= n * (n + 1) + 12 * n, where, "spd_inverse takes n (n + 1) + 12 n", inverse);
  const double solve = lane_elements<T>(
      LaneOp::spd_solve, [&](const kr_call* call) { cpu::spd_solve(call, nullptr, &a, &a, &x, nullptr); });
  check(solve <= n * (4 * n + 16), where, "spd_solve takes n (2 n + 2 k + 16)", solve);
  const double triangular = lane_elements<T>(LaneOp::triangular_solve, [&](const kr_call* call) {
    cpu::triangular_solve(call, nullptr, &a, &a, &x, nullptr);
  });
  check(triangular <= 3 * square + few, where, "triangular_solve takes n (n + 2 k + O(1))", triangular);
  const double qr =
      lane_elements<T>(LaneOp::qr, [&](const kr_call* call) { cpu::qr(call, nullptr, &a, &x, &y, nullptr); });
  check(qr <= 2 * square + few, where, "qr takes m (m + n) + O(m + n)", qr);
  const double svd =
      lane_elements<T>(LaneOp::svd, [&](const kr_call* call) { cpu::svd(call, nullptr, &a, &s, &x, &y, nullptr); });
  check(svd <= 5 * square + few, where, "svd takes 3 m n + 2 m^2", svd);
  Batch<T> norm(kBatch, 1, 1);
  kr_norm_estimate_options options{};
  const double spectral = lane_elements<T>(
      LaneOp::spectral_norm, [&](const kr_call* call) { cpu::norm_estimate(call, &options, &a, &norm, nullptr); });
  check(spectral <= 3.5 * square + 6 * n + 8, where, "the spectral norm takes m n + 5/2 s^2 + 3 (m + n)", spectral);
  options.kind = KR_NORM_SPECTRAL_LOWER;
  const double lower = lane_elements<T>(
      LaneOp::spectral_norm, [&](const kr_call* call) { cpu::norm_estimate(call, &options, &a, &norm, nullptr); });
  check(lower <= square + 6 * n + 8, where, "the lower bound takes m n + 3 (m + n)", lower);
  if (sizeof(T) == 4) {
    kr_inverse_root_options root{};
    root.p_numerator = 4;
    root.p_denominator = 1;
    for (const auto& [method, most] : {std::pair(KR_METHOD_AUTO, 4.0), std::pair(KR_METHOD_MINIMAX, 8.0)}) {
      root.method = method;
      const double used = lane_elements<T>(
          LaneOp::inverse_root, [&](const kr_call* call) { cpu::inverse_root(call, &root, &a, &x, nullptr); });
      check(used <= most * square + 40 * n, where + " method " + std::to_string(method), "inverse_root", used / square);
    }
  }
}

TEST("memory: matrices that share vectors take what ops.h states") {
  for (const int64_t n : {8, 32, 64}) {
    check_lanes<float>(n);
    check_lanes<double>(n);
  }
}

TEST("memory: nothing is kept between calls beyond the deepest stack, and a small call measures small") {
  const Batch<float> large = definite<float>(1, 400), small = definite<float>(1, 3);
  Batch<float> x(1, 400, 400), y(1, 3, 3);
  DeviceCall call(kronroot::cpu::best_kernels());
  kronroot::cpu::cholesky(call.get(), nullptr, &large, &x, nullptr);
  Scratch::forget_deepest();
  EXPECT(Scratch::deepest() == 0);
  kronroot::cpu::cholesky(call.get(), nullptr, &small, &y, nullptr);
  EXPECT(Scratch::deepest() > 0);
  EXPECT(Scratch::deepest() < (1 << 17));
}

}  // namespace
