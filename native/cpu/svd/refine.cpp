// Jacobi's rotations of all pairs at once. With G = W W^T and, for every pair that is not orthogonal yet,
//   theta = (g_jj - g_ii) / (2 g_ij),   t = sign(theta) / (|theta| + sqrt(1 + theta^2)),
// rows i and j have to turn by the angle arctan(t) in their plane. Where all angles are small the turns commute but for
// products of two of them, so K with k_ij = -t, k_ji = t turns all rows by matrix products,
//   J <- (I + K - E / 2) J,   E = J J^T - I,   W = J B,
// E correcting what I + K lost of orthogonality the time before: convergence is quadratic. Pairs with larger angles
// (clusters of singular values, which the eigenvectors left undecided) are turned one by one first.
// Source: Ogita and Aishima, J. Comput. Appl. Math. 369 (2020), for the iteration; Hestenes 1958 for the rotation.
#include "refine.hpp"

#include <algorithm>
#include <cmath>

#include "../../core/matrix.hpp"
#include "../cancel.hpp"
#include "../gram_of_rows.hpp"
#include "../product.hpp"
#include "jacobi.hpp"

namespace kronroot::cpu {
namespace {

// Tangents above this are no small angles.
constexpr double kSmallAngle = 0.05;

template <typename T>
class Rows {
 public:
  Rows(const Kernels<T>& kernels, int64_t m, int64_t n, const T* b, T* j, T* w, Scratch& scratch)
      : kernels_(kernels),
        m_(m),
        n_(n),
        tolerance_(ulp_of<T> * std::sqrt(static_cast<double>(n))),
        b_(b),
        j_(j),
        w_(w),
        gram_(scratch.take<T>(m * m)),
        defect_(scratch.take<T>(m * m)),
        turned_(scratch.take<T>(m * m)) {}

  // One step; false when there was nothing left to do.
  bool step() {
    gram_of_rows(kernels_, m_, n_, w_, gram_);
    longest_ = 0;
    for (int64_t i = 0; i < m_; ++i) longest_ = std::max(longest_, std::sqrt(double{gram_[i * (m_ + 1)]}));
    if (turn_large_angles()) return true;
    gram_of_rows(kernels_, m_, m_, j_, defect_);
    if (!form_factor()) return false;
    multiply<T>(kernels_, {.m = m_,
                           .n = m_,
                           .k = m_,
                           .a = defect_,
                           .a_stride = m_,
                           .b = j_,
                           .b_stride = m_,
                           .c = turned_,
                           .c_stride = m_});
    std::copy_n(turned_, m_ * m_, j_);
    multiply<T>(kernels_,
                {.m = m_, .n = n_, .k = m_, .a = j_, .a_stride = m_, .b = b_, .b_stride = n_, .c = w_, .c_stride = n_});
    return true;
  }

 private:
  // The tangent for rows p and q with squares pp, qq and product pq; 0 where they are orthogonal enough.
  double tangent(double pp, double qq, double pq) const {
    if (std::abs(pq) <= tolerance_ * longest_ * std::sqrt(std::max(pp, qq))) return 0;
    const double theta = (qq - pp) / (2 * pq);
    return std::copysign(1 / (std::abs(theta) + std::sqrt(1 + theta * theta)), theta);
  }

  double tangent(int64_t p, int64_t q) const {
    return tangent(gram_[p * m_ + p], gram_[q * m_ + q], gram_[p * m_ + q]);
  }

  // Whether there was one.
  bool turn_large_angles() {
    bool found = false;
    for (int64_t p = 0; p < m_; ++p) {
      for (int64_t q = p + 1; q < m_; ++q) {
        if (std::abs(tangent(p, q)) <= kSmallAngle) continue;
        found = true;
        T *x = w_ + p * n_, *y = w_ + q * n_;
        turn(p, q, tangent(kernels_.dot(n_, x, x), kernels_.dot(n_, y, y), kernels_.dot(n_, x, y)));
      }
    }
    return found;
  }

  void turn(int64_t p, int64_t q, double t) {
    if (t == 0) return;
    const double length = std::sqrt(1 + t * t);
    const T c = static_cast<T>(1 / length), s = static_cast<T>(t / length);
    const auto turn_rows = [c, s](int64_t count, T* x, T* y) {
      for (int64_t i = 0; i < count; ++i) {
        const T first = x[i], second = y[i];
        x[i] = c * first - s * second;
        y[i] = s * first + c * second;
      }
    };
    turn_rows(n_, w_ + p * n_, w_ + q * n_);
    turn_rows(m_, j_ + p * m_, j_ + q * m_);
  }

  // I + K - E / 2 in place of J J^T; false where it is the identity.
  bool form_factor() {
    bool is_identity = true;
    for (int64_t p = 0; p < m_; ++p) {
      T& diagonal = defect_[p * m_ + p];
      is_identity = is_identity && std::abs(diagonal - 1) <= tolerance_;
      diagonal = T{1} - (diagonal - T{1}) / 2;
      for (int64_t q = p + 1; q < m_; ++q) {
        const double t = tangent(p, q), half = defect_[p * m_ + q] / 2;
        is_identity = is_identity && t == 0 && std::abs(half) <= tolerance_ / 2;
        defect_[p * m_ + q] = static_cast<T>(-t - half);
        defect_[q * m_ + p] = static_cast<T>(t - half);
      }
    }
    return !is_identity;
  }

  const Kernels<T>& kernels_;
  int64_t m_, n_;
  double tolerance_;
  double longest_ = 0;
  const T* b_;
  T* j_;
  T* w_;
  T* gram_;
  T* defect_;
  T* turned_;
};

}  // namespace

template <typename T>
int64_t refine_rows(const Kernels<T>& kernels, int64_t m, int64_t n, const T* b, T* j, T* w, const int32_t* cancel) {
  Scratch scratch;
  Rows<T> rows(kernels, m, n, b, j, w, scratch);
  for (int64_t step = 0; step < kMostSweeps; ++step) {
    if (is_cancelled(cancel)) return kCancelled;
    if (!rows.step()) return step;
  }
  return kNotConverged;
}

template int64_t refine_rows<float>(const Kernels<float>&, int64_t, int64_t, const float*, float*, float*,
                                    const int32_t*);
template int64_t refine_rows<double>(const Kernels<double>&, int64_t, int64_t, const double*, double*, double*,
                                     const int32_t*);

}  // namespace kronroot::cpu
