// inverse_root of the CPU against f64, over the spectra of spectra.hpp.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "test/native/cpu/root_answer.hpp"

using namespace kronroot;
using namespace kronroot::test;

namespace {

constexpr int exponents[][2] = {{1, 1}, {2, 1}, {3, 1}, {4, 1}, {8, 1}, {4, 3}};

std::string describe(int64_t n, Spectra spectra, double condition, const int (&p)[2]) {
  return std::string(name_of(spectra)) + " n " + std::to_string(n) + " condition " + std::to_string(condition) + " p " +
         std::to_string(p[0]) + "/" + std::to_string(p[1]);
}

// "at most that of the f32 eigh route on the same input (f32, AUTO; 4 times it where ...), and <= 100 n ulp condition
// for every method that reports OK", relative ridge 1 / condition.
void check_accuracy(int64_t n, Spectra spectra, double condition) {
  MatrixSource source(static_cast<uint64_t>(n) * 1000 + static_cast<uint64_t>(std::log10(condition)));
  const Batch<float> a = rounded<float>(source.matrix(spectra, n, condition), n);
  const Batch<double> wide = widened(a, n);
  for (const auto& p : exponents) {
    kr_inverse_root_options options = root_options(p[0], p[1], KR_RIDGE_RELATIVE, 1 / condition, KR_METHOD_EIGH);
    options.residual_bound = 1e30;  // whatever comes out first
    const RootAnswer<double> exact(wide, n, options);
    const RootAnswer<float> eigh(a, n, options);
    const std::string where = describe(n, spectra, condition, p);
    check(exact.answered() && eigh.answered(), where, "eigh did not answer", eigh.report.status);
    const double ulp = ulp_of<float>;
    // To round the exact result costs half an ulp an element; results an ulp apart are equally good.
    const double allowed = std::max(relative_error(eigh.x, exact.x), ulp / 2);
    for (kr_method method :
         {KR_METHOD_AUTO, KR_METHOD_MINIMAX, KR_METHOD_COUPLED_NEWTON, KR_METHOD_PARTIAL_FRACTIONS}) {
      options = root_options(p[0], p[1], KR_RIDGE_RELATIVE, 1 / condition, method);
      RootAnswer<float> answer(a, n, options);
      check(answer.answered(), where, "no answer by method", method);
      if (!answer.answered()) continue;
      const double error = relative_error(answer.x, exact.x);
      check(exactly_symmetric(answer.x, n), where, "not symmetric, method", method);
      check(error <= 100 * static_cast<double>(n) * ulp * condition, where, "above the bound of the header", error);
      // Promised of AUTO; where minimax loses, on spectra with few directions, it is by little.
      const bool is_reduced = answer.report.method == KR_METHOD_PARTIAL_FRACTIONS;
      const double factor = method == KR_METHOD_COUPLED_NEWTON ? HUGE_VAL
                            : is_reduced                       ? 4
                            : method == KR_METHOD_AUTO         ? 1
                                                               : 1.5;
      check(error <= factor * allowed + ulp, where, "error / that of eigh", error / allowed);
    }
  }
}

}  // namespace

TEST("inverse_root: at most the error of eigh, small sizes") {
  for (int64_t n = 1; n <= 20; ++n) {
    for (Spectra spectra : all_spectra) {
      for (double condition : {1e2, 1e4, 1e6}) check_accuracy(n, spectra, condition);
    }
  }
}

TEST("inverse_root: at most the error of eigh, around tile edges") {
  for (int64_t n : {31, 32, 33, 64, 100}) {
    for (Spectra spectra : all_spectra) {
      for (double condition : {1e2, 1e4, 1e6}) check_accuracy(n, spectra, condition);
    }
  }
}

TEST("inverse_root: at most the error of eigh, larger matrices") {
  for (Spectra spectra : all_spectra) {
    for (double condition : {1e2, 1e4, 1e6}) check_accuracy(128, spectra, condition);
    for (double condition : {1e2, 1e6}) check_accuracy(256, spectra, condition);
  }
}
