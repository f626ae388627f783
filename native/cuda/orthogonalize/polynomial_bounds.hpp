// How large the matrices of a Newton-Schulz iteration become, for the scale of their planes of fp16.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "../../core/orthogonalize_schedule.hpp"

namespace kronroot::cuda {

// Bounds of everything that the iteration forms, as functions of a singular value of X in [0, 1].
struct PolynomialBounds {
  double x = 1, square = 1;  // of X; of G, W and, in the Gram form, the products of W

  static PolynomialBounds of(const std::vector<Quintic>& steps) {
    PolynomialBounds bounds;
    constexpr int points = 2048;
    for (int k = 0; k <= points; ++k) {
      double x = static_cast<double>(k) / points, factors = 1;
      for (const Quintic& step : steps) {
        const double g = x * x, w = step.a + g * (step.b + g * step.c);
        factors *= w;
        x *= w;
        for (const double each : {g, std::abs(w), std::abs(factors), x * x}) {
          bounds.square = std::max(bounds.square, each);
        }
        bounds.x = std::max(bounds.x, std::abs(x));
      }
    }
    return bounds;
  }
  // Room for them, and small numbers beside them, in planes of fp16.
  bool fit_planes() const { return x < 64 && square < 1024; }
};

}  // namespace kronroot::cuda
