// The eigensolver's own copy of a matrix: padded to whole blocks, so that the kernels need no masks.
#pragma once

namespace kronroot::cpu {
namespace {
namespace eigen {

inline float square_root(float x) { return __builtin_sqrtf(x); }
inline double square_root(double x) { return __builtin_sqrt(x); }
inline float magnitude(float x) { return __builtin_fabsf(x); }
inline double magnitude(double x) { return __builtin_fabs(x); }
constexpr int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }
constexpr int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }
inline double larger(double x, double y) { return x > y ? x : y; }

constexpr int64_t round_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// Rows that share one pass of the tridiagonalisation.
constexpr int kRowsPerPass = 4;

// Reflectors that are applied together; their sums, 2 vectors each, have to fit the registers.
constexpr int kReflectors = kVectorBytes == 64 ? 8 : 4;

// The side of the blocks on the diagonal, which are kept in full.
template <typename T>
constexpr int kBlock = kWidth<T> > kReflectors ? kWidth<T> : kReflectors;
static_assert(kReflectors % kRowsPerPass == 0);

// n rounded up to whole blocks: the length of every vector of order n.
template <typename T>
constexpr int64_t padded(int64_t n) {
  return round_up(n, kBlock<T>);
}

// Symmetric, order x order: the lower triangle and the diagonal blocks, with finite padding.
template <typename T>
struct Storage {
  T* data;
  int64_t order;
  int64_t stride;
  T* row(int64_t i) const { return data + i * stride; }
};

// Rows a multiple of 4 KiB apart fall into the same few sets of the L1 cache: one more block keeps them off.
template <typename T>
constexpr int64_t storage_stride(int64_t n) {
  const int64_t stride = padded<T>(n);
  return stride * int64_t{sizeof(T)} % 4096 == 0 ? stride + kBlock<T> : stride;
}

template <typename T>
constexpr int64_t storage_size(int64_t n) {
  return storage_stride<T>(n) * padded<T>(n);
}

template <typename T>
Storage<T> copy_to_storage(int64_t n, const T* a, T* data) {
  const Storage<T> storage{data, n, storage_stride<T>(n)};
  for (int64_t i = 0; i < n; ++i) {
    T* row = storage.row(i);
    const int64_t end = padded<T>(i + 1), whole = smaller(end, n / kWidth<T> * kWidth<T>);
    int64_t j = 0;
    for (; j < whole; j += kWidth<T>) store(row + j, load(a + i * n + j));
    for (; j < smaller(end, n); ++j) row[j] = a[i * n + j];
    for (; j < end; ++j) row[j] = 0;
  }
  for (int64_t i = n; i < padded<T>(n); ++i) {
    for (int64_t j = 0; j < padded<T>(n); ++j) storage.row(i)[j] = 0;
  }
  return storage;
}

// order[0 .. n-1]: the indices of d by ascending value, equal ones in their own order.
inline void sort_indices(int64_t n, const double* d, int64_t* order) {
  for (int64_t i = 0; i < n; ++i) {
    int64_t place = i;
    for (; place > 0 && d[order[place - 1]] > d[i]; --place) order[place] = order[place - 1];
    order[place] = i;
  }
}

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
