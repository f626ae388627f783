// Formation of Q = H_{n-1} ... H_2 from the reflectors of the tridiagonalisation.
//
// Q is formed by panels of columns, starting from those of the identity: column c is touched by the reflectors k > c
// only, which makes it (4/3) n^3 flop. Several reflectors are applied per pass over a panel: with s_r = v_r . column
// the sequence ... H_{k+1} H_k subtracts sum_r v_r z_r, z_r = tau_r (s_r - sum_{q<r} (v_r . v_q) z_q). (Schreiber and
// Van Loan, A storage-efficient WY representation, SISC 10 (1989), with T applied by substitution.)
#pragma once

#include "rotations.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Reflectors first .. first + kReflectors - 1, those at n and beyond with tau = 0.
template <typename T>
struct ReflectorBlock {
  const T* v[kReflectors];
  T tau[kReflectors];
  T products[kReflectors][kReflectors];  // v_r . v_q for q < r
  int64_t length;
};

constexpr int64_t reflector_blocks(int64_t n) { return (n + kReflectors - 1) / kReflectors; }

template <typename T>
ReflectorBlock<T> reflector_block(Storage<T> reflectors, const T* tau, int64_t first) {
  ReflectorBlock<T> block;
  block.length = smaller(first + kReflectors, reflectors.order) - 1;
  for (int r = 0; r < kReflectors; ++r) {
    const bool exists = first + r < reflectors.order;
    block.v[r] = reflectors.row(exists ? first + r : first);
    block.tau[r] = exists ? tau[first + r] : 0;
    for (int q = 0; q < r; ++q) {
      Vec<T> products{};
      for (int64_t j = 0; j < block.length; j += kWidth<T>) {
        products = fma(load(block.v[r] + j), load(block.v[q] + j), products);
      }
      block.products[r][q] = sum<T>(products);
    }
  }
  return block;
}

// Applies the block to `Vectors` vectors of columns; consecutive rows are `lanes` apart. Not inlined: within its
// callers the compiler runs out of registers.
template <typename T, int Vectors>
[[gnu::noinline]] void apply_reflectors(const ReflectorBlock<T>& block, T* columns, int64_t lanes) {
  const T* v[kReflectors];
  for (int r = 0; r < kReflectors; ++r) v[r] = block.v[r];
  Vec<T> z[kReflectors][Vectors] = {};
  for (int64_t j = 0; j < block.length; ++j) {
    Vec<T> row[Vectors];
    for (int i = 0; i < Vectors; ++i) row[i] = load(columns + j * lanes + i * kWidth<T>);
    for (int r = 0; r < kReflectors; ++r) {
      for (int i = 0; i < Vectors; ++i) z[r][i] = fma(broadcast(v[r][j]), row[i], z[r][i]);
    }
  }
  for (int r = 0; r < kReflectors; ++r) {
    const Vec<T> minus_tau = broadcast(-block.tau[r]);
    for (int i = 0; i < Vectors; ++i) {
      for (int q = 0; q < r; ++q) z[r][i] = fma(broadcast(block.products[r][q]), z[q][i], z[r][i]);
      z[r][i] *= minus_tau;
    }
  }
  for (int64_t j = 0; j < block.length; ++j) {
    Vec<T> row[Vectors];
    for (int i = 0; i < Vectors; ++i) row[i] = load(columns + j * lanes + i * kWidth<T>);
    for (int r = 0; r < kReflectors; ++r) {
      for (int i = 0; i < Vectors; ++i) row[i] = fma(broadcast(v[r][j]), z[r][i], row[i]);
    }
    for (int i = 0; i < Vectors; ++i) store(columns + j * lanes + i * kWidth<T>, row[i]);
  }
}

// Columns first .. first + lanes - 1 of Q as a panel of padded(n) rows.
template <typename T>
void form_columns(const ReflectorBlock<T>* blocks, int64_t n, int64_t first, int64_t lanes, T* panel) {
  for (int64_t j = 0; j < padded<T>(n) * lanes; ++j) panel[j] = 0;
  for (int64_t c = first; c < smaller(first + lanes, n); ++c) panel[c * lanes + c - first] = 1;
  for (int64_t k = first / kReflectors; k < reflector_blocks(n); ++k) {
    if (lanes == kWidth<T>) apply_reflectors<T, 1>(blocks[k], panel, lanes);
    for (int64_t c = 0; c + 2 * kWidth<T> <= lanes; c += 2 * kWidth<T>) {
      apply_reflectors<T, 2>(blocks[k], panel + c, lanes);
    }
  }
}

// Q into panels of its rows. columns: workspace of padded(n) * panels.lanes elements; blocks: of reflector_blocks(n).
template <typename T>
void form_q(Storage<T> reflectors, const T* tau, Panels<T> panels, ReflectorBlock<T>* blocks, T* columns) {
  const int64_t n = panels.order, lanes = panels.lanes;
  for (int64_t k = 0; k < reflector_blocks(n); ++k) blocks[k] = reflector_block(reflectors, tau, k * kReflectors);
  for (int64_t p = 0; p < panels.count(); ++p) {
    for (int64_t j = 0; j < kMargin * lanes; ++j) panels.row(p, -kMargin)[j] = panels.row(p, n)[j] = 0;
  }
  for (int64_t first = 0; first < n; first += lanes) {
    form_columns(blocks, n, first, lanes, columns);
    for (int64_t j = 0; j < n; j += kWidth<T>) {
      for (int64_t c = 0; c < smaller(lanes, n - first); c += kWidth<T>) {
        Vec<T> tile[kWidth<T>];
        for (int r = 0; r < kWidth<T>; ++r) tile[r] = load(columns + (j + r) * lanes + c);
        transpose<T>(tile);
        const int64_t rows = smaller(kWidth<T>, n - first - c);
        for (int64_t r = 0; r < rows; ++r) store(panels.row(j / lanes, first + c + r) + j % lanes, tile[r]);
      }
    }
  }
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
