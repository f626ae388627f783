// The pair of matrices that every coupled iteration for the inverse p-th root carries,
//   M_{k+1} = P_k^p M_k -> I,   X_{k+1} = X_k P_k -> M_0^{-1/p},   P_k a polynomial in M_k,
// by one team. All matrices are symmetric polynomials of M_0, so they commute, and M is multiplied from both sides,
// P^{ceil(p/2)} (M P^{floor(p/2)}): forming P^p first would cost up to |P|^p ulp, and mirrored products break the
// one-sided forms (Denman-Beavers, CANS).
#pragma once

#include "symmetric_product.cuh"

namespace kronroot::cuda {

template <int Side, typename Team, typename W, typename XSquare>
struct CoupledPair {
  SymmetricProducts<Side, Team> products;
  int p;
  SharedSquare<W> m, factor, low;
  XSquare x;

  __device__ const Team& team() const { return products.team; }

  // f(i, j) for all elements.
  template <typename F>
  __device__ void for_each(const F& f) const {
    for (int e = team().rank(); e < products.side * products.side; e += team().size()) {
      f(e / products.side, e % products.side);
    }
  }

  // P = c0 I + c1 M + c2 M^2
  __device__ void set_factor(W c0, W c1, W c2) const {
    if (c2 == 0) {
      for_each([&](int i, int j) {
        const W each = m.load(i, j);
        factor.store(i, j, c1 * each + (i == j && i < products.n ? c0 : W(0)));
      });
      team().sync();
      return;
    }
    products.multiply(m, m, factor, Combination<W>{c2, c1, c0}, m);
  }
  // X = P, the first step from X = I.
  __device__ void start_x() const {
    for_each([&](int i, int j) { x.store(i, j, factor.load(i, j)); });
    team().sync();
  }
  __device__ void advance_x() const { products.multiply(x, factor, x); }

  __device__ void advance_m() const {
    if (p == 1) {
      products.multiply(factor, m, m);
      return;
    }
    if (p < 4) {
      products.multiply(m, factor, m);
      if (p == 3) products.multiply(factor, factor, factor);
      products.multiply(factor, m, m);
      return;
    }
    // low = P^{floor(p/2)} by the binary digits of the power, from the second on.
    const int power = p / 2;
    int digit = 1;
    while (digit * 2 <= power) digit *= 2;
    digit /= 2;
    products.multiply(factor, factor, low);
    if ((power & digit) != 0) products.multiply(low, factor, low);
    for (digit /= 2; digit > 0; digit /= 2) {
      products.multiply(low, low, low);
      if ((power & digit) != 0) products.multiply(low, factor, low);
    }
    products.multiply(m, low, m);
    if (p % 2 != 0) products.multiply(low, factor, low);
    products.multiply(low, m, m);
  }

  // |M - I|_F
  __device__ double distance() const {
    double squares = 0;
    for_each([&](int i, int j) {
      const double each = static_cast<double>(m.load(i, j)) - (i == j && i < products.n ? 1 : 0);
      squares += each * each;
    });
    return sqrt(team().sum(squares));
  }

  // From X = B^{-1/a} to B^{-b/a} or B^{b/a} = B^c X^{ca - b}, c = ceil(b / a). M and P are overwritten; `base` writes
  // the elements of B to M.
  template <typename Base>
  __device__ void raise_to(const Root& root, const Base& base) const {
    if (root.inverse && root.b == 1) return;
    int whole = root.inverse ? 0 : (root.b + root.a - 1) / root.a;
    int power = root.inverse ? root.b : whole * root.a - root.b;
    if (whole > 0) base();
    if (power == 0) {
      for_each([&](int i, int j) { x.store(i, j, m.load(i, j)); });
      team().sync();
      --whole;
    } else if (power > 1) {
      for_each([&](int i, int j) { factor.store(i, j, x.load(i, j)); });
      team().sync();
    }
    for (; power > 1; --power) products.multiply(x, factor, x);
    for (; whole > 0; --whole) products.multiply(x, m, x);
  }
};

}  // namespace kronroot::cuda
