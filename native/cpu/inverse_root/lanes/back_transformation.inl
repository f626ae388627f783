// F <- Q F Q^T in lanes for a symmetric F, by the reflectors of the reduction to tridiagonal form: the last one first,
// each from both sides. With v zero above row k + 1 and z = F v,
//   (I - s v v^T) F (I - s v v^T) = F - v w^T - w v^T,   w = s (z - (s / 2) (v^T z) v),
// which changes rows and columns from k + 1 on. The lower triangle is kept; n^3 multiplications and additions in all.
// Source: Golub and Van Loan, section 8.3.1, backwards.
#pragma once

#include "tridiagonal.inl"

namespace kronroot::cpu {
namespace {
namespace roots {

// One reflector's v and its w = s (z - (s / 2) (v^T z) v) to be applied, and the next one's v with its z to be summed
// up from the result, so that F is read and written once a reflector. v is 0 above row `begin`, `next` above
// begin - 1, where it is 1; z is 0 before the first row.
template <typename T, int64_t Order>
struct ReflectedRows {
  LaneSquare<Order> shape;
  int64_t begin;
  const Vec<T>*v, *w, *next;
  Vec<T>* z;
  T* f;
};

// Rows i .. i + Rows, all of them from `begin` on.
template <int Rows, typename T, int64_t Order>
inline void reflect_rows(const ReflectedRows<T, Order>& pass, int64_t i) {
  T* row[Rows];
  Vec<T> of_v[Rows], of_w[Rows], of_next[Rows], sums[Rows];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
    row[r] = pass.f + place_of<T>(pass.shape, i + r, 0);
    of_v[r] = -pass.v[i + r];
    of_w[r] = -pass.w[i + r];
    of_next[r] = pass.next[i + r];
  }
  const int64_t begin = pass.begin;
  for (int64_t j = 0; j < begin; ++j) {
    const Vec<T> wj = pass.w[j];
    Vec<T> of_column = pass.z[j];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      T* const element = row[r] + j * kWidth<T>;
      const Vec<T> updated = fma(of_v[r], wj, load(element));
      store(element, updated);
      of_column = fma(updated, of_next[r], of_column);
      if (r == Rows - 1) pass.z[j] = of_column;
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) sums[r] = load(row[r] + (begin - 1) * kWidth<T>);
  for (int64_t j = begin; j < i; ++j) {
    const Vec<T> vj = pass.v[j], wj = pass.w[j], next = pass.next[j];
    Vec<T> of_column = pass.z[j];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      T* const element = row[r] + j * kWidth<T>;
      const Vec<T> updated = fma(of_v[r], wj, fma(of_w[r], vj, load(element)));
      store(element, updated);
      sums[r] = fma(updated, next, sums[r]);
      of_column = fma(updated, of_next[r], of_column);
    }
    pass.z[j] = of_column;
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int c = 0; c <= r; ++c) {
      T* const element = row[r] + (i + c) * kWidth<T>;
      const Vec<T> updated = fma(of_v[r], pass.w[i + c], fma(of_w[r], pass.v[i + c], load(element)));
      store(element, updated);
      sums[r] = fma(updated, of_next[c], sums[r]);
      if (c < r) sums[c] = fma(updated, of_next[r], sums[c]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r) pass.z[i + r] = sums[r];
}

// Reflector k, its vector from row k + 1 on.
template <typename T, int64_t Order>
inline void read_reflector(const LaneReflectors<T, Order>& reflectors, int64_t k, Vec<T>* v) {
  for (int64_t i = 0; i <= k; ++i) v[i] = Vec<T>{};
  for (int64_t i = k + 1; i < reflectors.shape.n; ++i) {
    v[i] = load(reflectors.vectors + place_of<T>(reflectors.shape, i, k));
  }
}

// memory: 4 n vectors.
template <typename T, int64_t Order>
[[gnu::noinline]] void transform_back(const LaneReflectors<T, Order>& reflectors, Vec<T>* memory, T* f) {
  constexpr int kRows = kVectorBytes == 64 ? 4 : 2;
  const LaneSquare<Order>& shape = reflectors.shape;
  const int64_t n = shape.n;
  Vec<T>*v = memory, *w = memory + n, *next = memory + 2 * n, *z = memory + 3 * n;
  // The first pass applies none.
  for (int64_t i = 0; i < n; ++i) v[i] = w[i] = Vec<T>{};
  for_each_row(shape, [&](auto step) {
    const int64_t k = n - 2 - step;
    if (k < 0) return;
    // Reflector k - 1 is summed up: rows from k on, of which row k is not touched by reflector k.
    const bool is_last = k == 0;
    if (!is_last) read_reflector(reflectors, k - 1, next);
    for (int64_t j = 0; j <= k; ++j) z[j] = is_last ? Vec<T>{} : load(f + place_of<T>(shape, k, j));
    if (is_last) {
      for (int64_t i = 0; i < n; ++i) next[i] = Vec<T>{};
    }
    for (int64_t i = k + 1; i < n; i += kRows) {
      spd::with_constant<kRows>(n - i, [&](auto rows) {
        reflect_rows<rows>(ReflectedRows<T, Order>{shape, k + 1, v, w, next, z, f}, i);
      });
    }
    if (is_last) return;
    const Vec<T> scale = reflectors.scales[k - 1];
    Vec<T> along{};
    for (int64_t i = k; i < n; ++i) along = fma(z[i], next[i], along);
    const Vec<T> half = scale * along * T(0.5);
    for (int64_t j = 0; j < k; ++j) z[j] *= scale;
    for (int64_t i = k; i < n; ++i) z[i] = scale * fma(-half, next[i], z[i]);
    exchange(v, next);
    exchange(w, z);
  });
}

}  // namespace roots
}  // namespace
}  // namespace kronroot::cpu
