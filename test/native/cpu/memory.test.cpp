// The memory that ops.h states for a thread, measured: the deepest stack of scratch memory of a call on one thread.
#include <functional>
#include <string>

#include "devices.hpp"
#include "native/core/matrix.hpp"
#include "native/core/planner.hpp"
#include "native/cpu/gemm/bf16.hpp"
#include "native/cpu/scratch.hpp"

namespace {

using namespace kronroot::test;
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
