// The residual |A z - V diag(w) V^T z| / (|A|_F |z|) in every lane, for one vector z of random signs, in f64. A z is
// kept while A is destroyed.
#pragma once

#include "../../lanes/wide.inl"
#include "panels.inl"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

template <typename T>
class LaneProbe {
 public:
  // Numbers of double for order n.
  static constexpr int64_t size(int64_t n) { return 2 * n * kWidth<T>; }

  // signs: n numbers, +1 or -1.
  LaneProbe(int64_t n, const T* a, int64_t stride, const double* signs, double* memory)
      : n_(n), signs_(signs), product_(memory), coordinates_(memory + n * kWidth<T>) {
    for (int64_t i = 0; i < n; ++i) {
      Wide<T> sum{};
      for (int64_t j = 0; j < n; ++j) {
        const Wide<T> element = widen<T>(load(a + (i * stride + j) * kWidth<T>));
        sum = add_signed<T>(sum, signs[j], element);
        squares_ = wide_fma<T>(element, element, squares_);
      }
      store_wide<T>(product_ + i * kWidth<T>, sum);
    }
  }

  // values: n, as the eigenvectors are ordered in the panels. 0 for A = 0.
  template <typename Shape>
  void residuals(const T* values, const LanePanels<Shape, T>& panels, double* out) {
    constexpr int W = kWidth<T>;
    for (int64_t j = 0; j < n_ * W; ++j) coordinates_[j] = 0;
    for (int64_t i = 0; i < n_; ++i) {
      for (int64_t j = 0; j < n_; ++j) {
        double* c = coordinates_ + j * W;
        store_wide<T>(c, add_signed<T>(load_wide<T>(c), signs_[i], widen<T>(load(panels.at(i, j)))));
      }
    }
    const Wide<T> none{};
    for (int64_t j = 0; j < n_; ++j) {
      double* c = coordinates_ + j * W;
      store_wide<T>(c, wide_fma<T>(load_wide<T>(c), widen<T>(load(values + j * W)), none));
    }
    Wide<T> errors{};
    for (int64_t i = 0; i < n_; ++i) {
      Wide<T> sum{};
      for (int64_t j = 0; j < n_; ++j) {
        sum = wide_fma<T>(widen<T>(load(panels.at(i, j))), load_wide<T>(coordinates_ + j * W), sum);
      }
      const Wide<T> error = add_signed<T>(load_wide<T>(product_ + i * W), -1, sum);
      errors = wide_fma<T>(error, error, errors);
    }
    double size[W], error[W];
    store_wide<T>(size, squares_);
    store_wide<T>(error, errors);
    for (int l = 0; l < W; ++l) {
      out[l] = size[l] > 0 ? __builtin_sqrt(error[l] / (size[l] * static_cast<double>(n_))) : 0;
    }
  }

 private:
  int64_t n_;
  const double* signs_;
  double* product_;      // A z
  double* coordinates_;  // diag(w) V^T z
  Wide<T> squares_{};    // |A|_F^2
};

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
