// The certificate of inverse_root: how far the X that is returned is from the root of A + epsilon I, in f64, by one
// team.
//
// |R z|_2 / |z|_2 for one vector z of random signs, or (full) |R|_F / sqrt(n), where, with B = S + epsilon I, its
// negative eigenvalues set to 0 first, and p = a/b in lowest terms,
//   R = W - I       W the product of a factors X and b factors B, spread evenly: X^{a/2} B X^{a/2} for integer p,
//                   X B X B X B X for 4/3; where a and b are odd, the mean of the two most even orders
//   R = W^2 - W     pseudo-inverses
//   R = X^a - B^b   positive powers, measured against |B^b z| (|B^b|_F)
// Why evenly: ops.h and native/reference/balanced_residual.hpp.
#pragma once

#include "../../core/random.hpp"
#include "../team.cuh"
#include "problem.cuh"

namespace kronroot::cuda {

// Those of `count` eigenvalues that are negative count as 0; their vectors are columns of `vectors`. None without an
// eigendecomposition.
template <typename Values, typename Vectors>
struct NegativePart {
  int count = 0;
  Values values;
  Vectors vectors;
};
using NoNegativePart = NegativePart<Global<const double>, GlobalSquare<const double>>;

// Vector: Shared<double> or Global<double>, of n elements; three for the powers of vectors, one for z.
template <typename Team, typename SSquare, typename XSquare, typename Vector, typename Negative = NoNegativePart>
struct Certificate {
  Team team;
  int n;
  const RootRequest& request;
  SSquare s;
  XSquare x;
  double epsilon;
  int remainder;  // of RootScale: in units of S and x, X^a B^b = 2^remainder I, or X^a = 2^remainder B^b
  Negative negative;
  Vector z, y, other, image;

  static constexpr int vectors = 4;

  // v <- 2^-e v, its largest magnitude in [1, 2); returns e.
  __attribute__((noinline)) __device__ int take_exponent(const Vector& v) const {
    double largest = 0;
    for (int i = team.rank(); i < n; i += team.size()) largest = std::max(largest, std::abs(static_cast<double>(v[i])));
    largest = team.max(largest);
    int exponent = 0;
    if (largest > 0 && is_finite(largest)) {
      frexp(largest, &exponent);
      --exponent;
    }
    for (int i = team.rank(); i < n; i += team.size()) {
      const double each = v[i];
      v[i] = ldexp(each, -exponent);
    }
    team.sync();
    return exponent;
  }
  // image = v, then v = matrix image, a symmetric matrix, which is read by columns.
  template <typename Square>
  __attribute__((noinline)) __device__ void multiply(const Square& matrix, const Vector& v) const {
    for (int i = team.rank(); i < n; i += team.size()) {
      const double each = v[i];
      image[i] = each;
    }
    team.sync();
    for (int i = team.rank(); i < n; i += team.size()) {
      double sum = 0;
      for (int j = 0; j < n; ++j) {
        const double each = image[j];
        sum += static_cast<double>(matrix.load(j, i)) * each;
      }
      v[i] = sum;
    }
    team.sync();
  }
  __device__ int64_t apply_x(int power, const Vector& v) const {
    int64_t exponent = 0;
    for (int k = 0; k < power; ++k) {
      multiply(x, v);
      exponent += take_exponent(v);
    }
    return exponent;
  }
  __device__ int64_t apply_b(const Vector& v) const {
    multiply(s, v);
    for (int i = team.rank(); i < n; i += team.size()) {
      const double each = v[i], before = image[i];
      v[i] = each + epsilon * before;
    }
    team.sync();
    for (int k = 0; k < negative.count; ++k) {
      const double value = std::min<double>(negative.values[k], 0);
      if (!team.for_any(value < 0)) continue;
      double along = 0;
      for (int i = team.rank(); i < n; i += team.size()) {
        const double before = image[i];
        along += negative.vectors.load(i, k) * before;
      }
      along = team.sum(along);
      for (int i = team.rank(); i < n; i += team.size()) {
        const double each = v[i];
        v[i] = each - value * along * negative.vectors.load(i, k);
      }
      team.sync();
    }
    return take_exponent(v);
  }
  // v <- v 2^exponent
  __attribute__((noinline)) __device__ void settle(const Vector& v, int64_t exponent) const {
    const auto shift = static_cast<int>(exponent < -5000 ? -5000 : exponent > 5000 ? 5000 : exponent);
    for (int i = team.rank(); i < n; i += team.size()) {
      const double each = v[i];
      v[i] = ldexp(each, shift);
    }
    team.sync();
  }
  __device__ void copy(const Vector& from, const Vector& to) const {
    for (int i = team.rank(); i < n; i += team.size()) {
      const double each = from[i];
      to[i] = each;
    }
    team.sync();
  }
  // v <- W v in one of the two orders: B number j stands after (j + 1/2) a / b factors X, rounded; half way up or down.
  __attribute__((noinline)) __device__ void multiply_word(bool half_up, const Vector& v) const {
    const int a = request.root.a, b = request.root.b;
    int64_t exponent = -remainder;
    int done = 0;
    for (int j = 0; j < b; ++j) {
      const int before = ((2 * j + 1) * a + b - (half_up ? 0 : 1)) / (2 * b);
      exponent += apply_x(before - done, v);
      exponent += apply_b(v);
      done = before;
    }
    exponent += apply_x(a - done, v);
    settle(v, exponent);
  }
  // to = W from; `spare` is overwritten.
  __device__ void balanced_product(const Vector& from, const Vector& to, const Vector& spare) const {
    copy(from, to);
    multiply_word(true, to);
    if (request.root.a % 2 == 0 || request.root.b % 2 == 0) return;
    copy(from, spare);
    multiply_word(false, spare);
    for (int i = team.rank(); i < n; i += team.size()) {
      const double up = to[i], down = spare[i];
      to[i] = (up + down) / 2;
    }
    team.sync();
  }
  // |u - v|^2, |u|^2 where there is no v; NaN where an element is.
  __device__ double squared_distance(const Vector& u, const Vector& v, bool is_difference) const {
    double squares = 0;
    for (int i = team.rank(); i < n; i += team.size()) {
      const double ui = u[i], vi = v[i];
      const double each = is_difference ? ui - vi : ui;
      squares += each * each;
    }
    return team.sum(squares);
  }

  struct Squares {
    double error, size;
  };
  // z is overwritten.
  __device__ Squares measure() const {
    if (request.root.inverse) {
      const double size = squared_distance(z, z, false);
      balanced_product(z, y, other);
      if (!request.is_pseudo_inverse()) return {squared_distance(y, z, true), size};
      balanced_product(y, z, other);
      return {squared_distance(z, y, true), size};
    }
    copy(z, y);
    settle(y, apply_x(request.root.a, y) - remainder);
    int64_t exponent = 0;
    for (int k = 0; k < request.root.b; ++k) exponent += apply_b(z);
    settle(z, exponent);
    return {squared_distance(y, z, true), squared_distance(z, z, false)};
  }

  __attribute__((noinline)) __device__ double residual() const {
    double error = 0, size = 0;
    const int probes = request.full_residual ? n : 1;
    for (int k = 0; k < probes; ++k) {
      for (int i = team.rank(); i < n; i += team.size()) {
        z[i] = request.full_residual ? (i == k ? 1.0 : 0.0) : random_sign(probe_stream, static_cast<uint64_t>(i));
      }
      team.sync();
      const Squares squares = measure();
      error += squares.error;
      size += squares.size;
    }
    return error == 0 ? 0 : sqrt(error / size);
  }
};

}  // namespace kronroot::cuda
