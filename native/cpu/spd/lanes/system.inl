// A + epsilon I read, screened, scaled and factorised in lanes: as spd_factor.cpp does it for one matrix.
#pragma once

#include "../lanes.hpp"
#include "factor.inl"
#include "lambda_max.inl"
#include "read.inl"
#include "scale.inl"
#include "triangle_product.inl"

namespace kronroot::cpu {
namespace {
namespace spd {

// As spd_factor.cpp: elements between 2^-this and 2^this are factorised as they are.
template <typename T>
constexpr int kHarmlessExponent = sizeof(T) == 4 ? 40 : 400;

// Hands out consecutive pieces of a workspace of T, one vector aligned; on a null base it measures.
template <typename T>
class LaneMemory {
 public:
  explicit LaneMemory(T* base) : base_(base) {}
  T* vectors(int64_t count) {
    T* const piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += count * kWidth<T>;
    return piece;
  }
  Wide<T>* wide(int64_t count) { return reinterpret_cast<Wide<T>*>(vectors(count * kParts<T>)); }
  int64_t elements() const { return used_; }

 private:
  T* base_;
  int64_t used_ = 0;
};

template <typename T>
struct LaneSystem {
  int64_t order;
  // (A + epsilon I) 2^-exponent is factorised; exponents are even, and 0 unless A is very large or very small.
  int exponent[kMostLanes];
  bool is_scaled;              // some exponent is not 0
  double epsilon[kMostLanes];  // times 2^-exponent
  T* a;                        // lower triangle of A 2^-exponent
  T* diagonal;                 // of it
  LaneFactor<T> factor;        // of A + epsilon I
  Wide<T>* signs;              // the probe z
  T* powers;                   // two full matrices, where the ridge is relative

  LaneSystem(int64_t n, int32_t ridge, LaneMemory<T>& memory) : order(n) {
    a = memory.vectors(n * (n + 1) / 2);
    diagonal = memory.vectors(n);
    factor.order = n;
    factor.triangle = memory.vectors(n * (n + 1) / 2);
    factor.reciprocals = memory.vectors(n);
    signs = memory.wide(n);
    powers = ridge == KR_RIDGE_RELATIVE ? memory.vectors(2 * n * n) : nullptr;
  }
};

// Even exponents for lanes that are too large or too small, 0 for the others.
template <typename T>
void choose_exponents(const kr_cholesky_options& ridge, IntVec<T> largest, LaneSystem<T>& system) {
  // An absolute ridge counts: beside a large one a small A is not worth scaling up.
  int of_ridge = -(1 << 20);
  if (ridge.ridge == KR_RIDGE_ABSOLUTE && ridge.ridge_value > 0) __builtin_frexp(ridge.ridge_value, &of_ridge);
  const IntVec<T> of_matrix = binary_exponent<T>(largest);
  system.is_scaled = false;
  for (int l = 0; l < kWidth<T>; ++l) {
    const int found = static_cast<int>(of_matrix[l]);
    const int exponent = largest[l] == 0 && of_ridge > -(1 << 20) ? of_ridge : found > of_ridge ? found : of_ridge;
    const bool harmless = -kHarmlessExponent<T> <= exponent && exponent <= kHarmlessExponent<T>;
    system.exponent[l] = harmless ? 0 : exponent / 2 * 2;
    system.is_scaled |= !harmless;
  }
}

// epsilon 2^-exponent of every lane.
template <typename T>
void choose_epsilon(const kr_cholesky_options& ridge, LaneSystem<T>& system) {
  double trace[kMostLanes] = {};
  for (int64_t i = 0; i < system.order; ++i) {
    for (int l = 0; l < kWidth<T>; ++l) trace[l] += static_cast<double>(system.diagonal[i * kWidth<T> + l]);
  }
  double lambda_max[kMostLanes] = {};
  if (ridge.ridge == KR_RIDGE_RELATIVE && ridge.ridge_value > 0) {
    const int64_t n = system.order;
    lambda_max_bounds(system.a, n, system.powers, system.powers + n * n * kWidth<T>, lambda_max);
  }
  for (int l = 0; l < kWidth<T>; ++l) {
    if (ridge.ridge == KR_RIDGE_RELATIVE) {
      system.epsilon[l] = ridge.ridge_value * lambda_max[l];
    } else if (ridge.ridge == KR_RIDGE_ABSOLUTE) {
      system.epsilon[l] = __builtin_ldexp(ridge.ridge_value, -system.exponent[l]);
    } else if (ridge.ridge == KR_RIDGE_TRACE) {
      system.epsilon[l] = ridge.ridge_value * (trace[l] > 0 ? trace[l] : 0) / static_cast<double>(system.order);
    } else {
      system.epsilon[l] = 0;
    }
  }
}

// Adds epsilon to the diagonal; the lanes in which that overflows.
template <typename T>
Mask<T> add_ridge(const LaneSystem<T>& system) {
  IntVec<T> largest{};
  for (int64_t i = 0; i < system.order; ++i) {
    T* const element = row_of(system.a, i) + i * kWidth<T>;
    for (int l = 0; l < kWidth<T>; ++l)
      element[l] = static_cast<T>(static_cast<double>(element[l]) + system.epsilon[l]);
    const IntVec<T> size = magnitude_bits<T>(load(element));
    largest = size > largest ? size : largest;
  }
  return largest >= magnitude_bits<T>(broadcast(static_cast<T>(__builtin_inf())));
}

// (max l_ii / min l_ii)^2
template <typename T>
void measure_condition(const LaneFactor<T>& factor, double (&condition)[kMostLanes]) {
  Vec<T> most = load(factor.triangle), least = most;
  for (int64_t i = 1; i < factor.order; ++i) {
    const Vec<T> element = load(row_of(factor.triangle, i) + i * kWidth<T>);
    most = maximum<T>(element, most);
    least = minimum<T>(element, least);
  }
  for (int l = 0; l < kWidth<T>; ++l) {
    const double ratio = static_cast<double>(most[l]) / static_cast<double>(least[l]);
    condition[l] = ratio * ratio;
  }
}

// Reads and factorises the group, n >= 1. Statuses, pivots and conditions are answered; residuals are still open.
template <typename T>
void factorize_group(const SpdLanesOptions& options, const LaneGroup<const T>& group, LaneSystem<T>& system,
                     SpdLanesAnswer& answer) {
  const int64_t n = system.order, elements = n * (n + 1) / 2;
  const IntVec<T> largest = read_lower_lanes(group, system.a);
  const Mask<T> finite = largest < magnitude_bits<T>(broadcast(static_cast<T>(__builtin_inf())));
  if (any<T>(~finite)) {
    for (int64_t i = 0; i < elements * kWidth<T>; i += kWidth<T>) {
      store(system.a + i, from_bits<T>(bits_of<T>(load(system.a + i)) & finite));
    }
  }
  choose_exponents(options.ridge, largest & finite, system);
  if (system.is_scaled) scale_lanes<T>(elements, system.a, -load_exponents<T>(system.exponent));
  for (int64_t i = 0; i < n; ++i) {
    store(system.diagonal + i * kWidth<T>, load(row_of(system.a, i) + i * kWidth<T>));
    for (int p = 0; p < kParts<T>; ++p) system.signs[i].part[p] = broadcast(options.signs[i]);
  }
  choose_epsilon(options.ridge, system);
  const Mask<T> overflow = add_ridge(system);
  factorize_lanes(system.a, system.factor);
  // The probes multiply by A and add epsilon in f64.
  for (int64_t i = 0; i < n; ++i) {
    store(row_of(system.a, i) + i * kWidth<T>, load(system.diagonal + i * kWidth<T>));
  }
  measure_condition(system.factor, answer.condition);
  for (int l = 0; l < kWidth<T>; ++l) {
    answer.status[l] = !finite[l]                ? KR_STATUS_NON_FINITE_INPUT
                       : overflow[l]             ? KR_STATUS_OVERFLOW
                       : system.factor.failed[l] ? KR_STATUS_NOT_POSITIVE_DEFINITE
                                                 : KR_STATUS_OK;
    const bool names_pivot = answer.status[l] == KR_STATUS_NOT_POSITIVE_DEFINITE;
    answer.pivot[l] = names_pivot ? static_cast<int32_t>(system.factor.pivot[l]) : -1;
  }
}

// y += epsilon 2^-exponent x, both of `count` elements.
template <typename T>
void add_multiple_of_identity(const LaneSystem<T>& system, int64_t count, const Wide<T>* x, Wide<T>* y) {
  for (int p = 0; p < kParts<T>; ++p) {
    const Vec<double> epsilon = load(system.epsilon + p * kWidth<double>);
    for (int64_t i = 0; i < count; ++i) y[i].part[p] = fma(epsilon, x[i].part[p], y[i].part[p]);
  }
}

// y = (A + epsilon I) 2^-exponent x
template <typename T>
void multiply_system(const LaneSystem<T>& system, const Wide<T>* x, Wide<T>* y) {
  multiply_wide<TriangleProduct::symmetric>(system.a, system.order, x, y);
  add_multiple_of_identity(system, system.order, x, y);
}

// squares[l] = |x - y|_2^2
template <typename T>
void distance_squares(int64_t n, const Wide<T>* x, const Wide<T>* y, double (&squares)[kMostLanes]) {
  for (int p = 0; p < kParts<T>; ++p) {
    Vec<double> sum{};
    for (int64_t i = 0; i < n; ++i) {
      const Vec<double> difference = x[i].part[p] - y[i].part[p];
      sum = fma(difference, difference, sum);
    }
    store(squares + p * kWidth<double>, sum);
  }
}

// Lanes that are answered so far but not in `good` get `status`.
template <typename T>
void fail_lanes(Mask<T> good, kr_status status, SpdLanesAnswer& answer) {
  for (int l = 0; l < kWidth<T>; ++l) {
    if (!good[l] && answer.status[l] == KR_STATUS_OK) answer.status[l] = status;
  }
}

template <typename T>
void list_answered(const SpdLanesAnswer& answer, bool (&wanted)[kMostLanes]) {
  for (int l = 0; l < kWidth<T>; ++l) wanted[l] = answer.status[l] == KR_STATUS_OK;
}

}  // namespace spd
}  // namespace
}  // namespace kronroot::cpu
