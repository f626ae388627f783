// What the methods of matrix products have in common: where they start, and how far they have come.
#pragma once

#include <cmath>
#include <cstdint>

#include "definiteness.hpp"
#include "problem.hpp"

namespace kronroot::cpu {

// Room above the Ritz value for lambda_max itself: iterations hold on bounded spectra only.
inline constexpr double spectrum_room = 1.01;

// Iterations that have not converged by then do not.
inline constexpr int most_iterations = 100;

template <typename T>
int iteration_limit(const RootProblem<T>& problem) {
  return problem.options.max_iterations > 0 ? problem.options.max_iterations : most_iterations;
}

// unit that brings the spectrum of unit (S + epsilon I) into (0, largest].
inline double unit_for(const Definiteness& found, double largest) {
  return largest / (spectrum_room * (found.lambda_max + found.epsilon));
}

// m = unit (S + epsilon I)
template <typename T>
void starting_matrix(const RootProblem<T>& problem, const Definiteness& found, double unit, T* m) {
  const int64_t n = problem.n;
  for (int64_t i = 0; i < n * n; ++i) {
    const double shift = i % (n + 1) == 0 ? found.epsilon : 0;
    m[i] = static_cast<T>(unit * (static_cast<double>(problem.symmetric[i]) + shift));
  }
}

// |M - I|_F
template <typename T>
double distance_to_identity(int64_t n, const T* m) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double each = static_cast<double>(m[i * n + j]) - (i == j ? 1 : 0);
      squares += each * each;
    }
  }
  return std::sqrt(squares);
}

}  // namespace kronroot::cpu
