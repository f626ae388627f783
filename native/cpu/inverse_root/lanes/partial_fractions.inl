// The root of a group by partial fractions: with S + epsilon I = Q T Q^T of the examination and
// x^{-b/a} = sum_k w_k / (x + s_k) on the spectrum,
//   X = Q (sum_k w_k (T + s_k I)^{-1}) Q^T.
// Reduction in f64, the rest in the element type: 2/3 n^3 and n^3 multiplications and additions, O(n^2) a fraction.
#pragma once

#include "../../lanes/write.inl"
#include "back_transformation.inl"
#include "residual.inl"
#include "resolvents.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// What comes after the form in the workspace.
template <typename T, int64_t Order>
struct FractionMemory {
  T* x;
  LanePivots<T, Order> pivots;
  Vec<T>*heads, *ratios;  // of the resolvents; the vectors of the transformation and of the residual

  FractionMemory(const LaneSquare<Order>& shape, T* memory) : x(memory) {
    const int64_t n = shape.n;
    auto* next = reinterpret_cast<Vec<T>*>(memory + matrix_elements<T>(n));
    pivots = {shape, next, next + n, next + 2 * n};
    heads = next + 3 * n;
    ratios = heads + kChains * n;
  }
};

template <typename T>
int64_t partial_fraction_root_lanes_workspace(int64_t n) {
  const int64_t examination = examination_elements<T>(n);
  const int64_t root = matrix_elements<T>(n) + (3 + 2 * kChains) * n * kWidth<T>;
  return form_elements<T>(n) + (examination > root ? examination : root);
}

// Numbers k .. k + Count of the fractions of each lane, 0 where it has no more.
template <int Count, typename T>
inline void read_fractions(const double* const (&from)[kMostLanes], const int (&counts)[kMostLanes], int k,
                           const double* scale, Vec<T> (&to)[Count]) {
  constexpr int W = kWidth<double>;
  for (int half = 0; half < kHalves<T>; ++half) {
    const Vec<double> factor = load(scale + half * W);
    for (int t = 0; t < Count; t += W) {
      Vec<double> tile[W];
      for (int l = 0; l < W; ++l) {
        const int lane = half * W + l, left = counts[lane] - k - t;
        tile[l] = left >= W  ? load(from[lane] + k + t)
                  : left > 0 ? load_first(from[lane] + k + t, left)
                             : Vec<double>{};
      }
      transpose<double>(tile);
      for (int r = 0; r < W && t + r < Count; ++r) {
        store_double(reinterpret_cast<T*>(&to[t + r]) + half * W, tile[r] * factor);
      }
    }
  }
}

// Adds `Chains` resolvents from number k on.
template <int Chains, typename T, int64_t Order>
void sum_chains(const LaneFractions& given, int k, const FractionMemory<T, Order>& memory) {
  constexpr double kUnscaled[kMostLanes] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  Vec<T> poles[Chains], weights[Chains];
  read_fractions<Chains, T>(given.poles, given.count, k, kUnscaled, poles);
  read_fractions<Chains, T>(given.weights, given.count, k, given.scale, weights);
  resolvent_diagonals<Chains>(memory.pivots, poles, weights, memory.heads, memory.ratios);
  add_resolvents<Chains>(memory.pivots.shape, memory.heads, memory.ratios, k == 0, memory.x);
}

// The lower triangle of f(T).
template <typename T, int64_t Order>
[[gnu::noinline]] void sum_resolvents(const LaneFractions& given, const FractionMemory<T, Order>& memory) {
  int k = 0;
  for (; k + kChains <= given.terms; k += kChains) sum_chains<kChains>(given, k, memory);
  for (; k < given.terms; k += kFractionGroup) sum_chains<kFractionGroup>(given, k, memory);
}

template <typename T, int64_t Order>
void mirror_lanes(const LaneSquare<Order>& shape, T* x) {
  for (int64_t i = 1; i < shape.n; ++i) {
    for (int64_t j = 0; j < i; ++j) store(x + place_of<T>(shape, j, i), load(x + place_of<T>(shape, i, j)));
  }
}

// s and the workspace: as examine_root_lanes left them. Lanes that are wanted and pass their certificate are written.
template <typename T>
void partial_fraction_root_lanes(const LaneFractions& given, const T* s, const LaneGroup<T>& out, T* workspace,
                                 LaneRoots& roots) {
  with_lane_square(out.rows, [&](auto shape) {
    const LaneForm form(shape, workspace);
    const FractionMemory memory(shape, form.rest);
    for (int half = 0; half < kHalves<T>; ++half) {
      const int first = half * kWidth<double>;
      factorize_half(form.diagonals + half * shape.n, form.couplings + half * shape.n, load(given.unit + first),
                     load(given.shift + first), first, memory.pivots);
    }
    sum_resolvents(given, memory);
    transform_back(form.reflectors, memory.heads, memory.x);
    mirror_lanes(shape, memory.x);
    certify(*given.certificate, shape, s, memory.x, reinterpret_cast<Vec<double>*>(memory.heads), roots);
    finish_lanes(*given.certificate, memory.x, out, roots);
  });
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
