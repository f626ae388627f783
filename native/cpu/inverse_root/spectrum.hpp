// What the defined answers of inverse_root (ops.h) make of the eigenvalues of S.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "../../core/report.hpp"
#include "problem.hpp"

namespace kronroot::cpu {

class Spectrum {
 public:
  // values: all n eigenvalues, in any order, n >= 1.
  template <typename T>
  Spectrum(const RootProblem<T>& problem, const double* values)
      : is_f32_(dtype_of<T> == KR_F32),
        pseudo_inverse_(problem.pseudo_inverse()),
        root_(problem.root),
        exponent_(problem.exponent),
        result_exponent_(problem.result_exponent()) {
    const int64_t n = problem.n;
    const auto [smallest, largest] = std::minmax_element(values, values + n);
    epsilon_ = problem.epsilon(*largest);
    null_threshold_ = pseudo_inverse_ ? pseudo_inverse_cutoff(problem.options.ridge_value, *largest, n, dtype_of<T>)
                                      : null_threshold(*largest, n, dtype_of<T>);
    rank_ = std::count_if(values, values + n, [this](double value) { return value > null_threshold_; });
    const bool indefinite = *smallest < -negative_tolerance(epsilon_, *largest, n, dtype_of<T>);
    const bool singular = rank_ < n && epsilon_ == 0 && !pseudo_inverse_;
    report_ = indefinite || singular ? failed(KR_STATUS_NOT_POSITIVE_DEFINITE) : kr_report{};
    if (is_failure(report_)) return;
    report_ = answered(KR_METHOD_AUTO);
    if (rank_ < n) report_ = rank_deficient(report_, rank_);
    double most = 0, least = std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < n; ++i) {
      const double inverted = effective(values[i]);
      if (inverted > 0) least = std::min(least, inverted);
      most = std::max(most, inverted);
    }
    if (most > 0) report_.condition = most / least;
  }

  // Status, rank and condition; the method is the caller's to fill in.
  const kr_report& report() const { return report_; }
  double epsilon() const { return epsilon_; }

  // The eigenvalue of the result, in units of 2^result_exponent.
  double image(double value) const {
    const double inverted = effective(value);
    if (!(inverted > 0)) return 0;
    // In units of A, so that round numbers have round roots. What is rounded to f32 needs no wider type.
    if (is_f32_) {
      const double exponent = static_cast<double>(root_.b) / root_.a;
      const double root = std::pow(std::ldexp(inverted, exponent_), root_.inverse ? -exponent : exponent);
      return std::ldexp(root, -result_exponent_);
    }
    const long double root = root_power(std::ldexp(static_cast<long double>(inverted), exponent_), root_);
    return static_cast<double>(std::ldexp(root, -result_exponent_));
  }

 private:
  double effective(double value) const {
    if (pseudo_inverse_) return value > null_threshold_ ? value : 0;
    return std::max(value, 0.0) + epsilon_;
  }

  bool is_f32_;
  bool pseudo_inverse_;
  Root root_;
  int exponent_;
  int result_exponent_;
  double epsilon_ = 0;
  double null_threshold_ = 0;
  int64_t rank_ = 0;
  kr_report report_{};
};

}  // namespace kronroot::cpu
