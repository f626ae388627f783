// Products with single vectors, for norms, residual probes and screening.
#pragma once

#include "../isa/lanes.inl"

namespace kronroot::cpu {
namespace {

// As many elements of T as a Vec<double> holds, widened.
template <typename T>
inline Vec<double> load_as_double(const T* from) {
  typedef T Narrow __attribute__((vector_size(kWidth<double> * sizeof(T)), aligned(sizeof(T)), may_alias));
  return __builtin_convertvector(*reinterpret_cast<const Narrow*>(from), Vec<double>);
}

// The same back, rounded to T.
template <typename T>
inline void store_double(T* to, Vec<double> v) {
  typedef T Narrow __attribute__((vector_size(kWidth<double> * sizeof(T)), aligned(sizeof(T)), may_alias));
  typedef T Converted __attribute__((vector_size(kWidth<double> * sizeof(T))));
  *reinterpret_cast<Narrow*>(to) = __builtin_convertvector(v, Converted);
}

// max |x_i| as integers (lanes.inl): a floating-point maximum would lose NaN.
template <typename T>
T largest_magnitude(int64_t n, const T* x) {
  constexpr int kStep = kWidth<T>;
  IntVec<T> first{}, second{};
  int64_t i = 0;
  for (; i + 2 * kStep <= n; i += 2 * kStep) {
    const IntVec<T> a = magnitude_bits<T>(load(x + i)), b = magnitude_bits<T>(load(x + i + kStep));
    first = a > first ? a : first;
    second = b > second ? b : second;
  }
  for (; i < n; i += kStep) {
    const int count = n - i < kStep ? static_cast<int>(n - i) : kStep;
    const IntVec<T> a = magnitude_bits<T>(load_first(x + i, count));
    first = a > first ? a : first;
  }
  first = first > second ? first : second;
  typename Bits<T>::type largest = 0;
  for (int l = 0; l < kStep; ++l) largest = first[l] > largest ? first[l] : largest;
  return __builtin_bit_cast(T, largest);
}

// Lanes beyond the end of x hold its first element.
template <typename T>
void extremes(int64_t n, const T* x, T* smallest, T* largest) {
  constexpr int kStep = kWidth<T>;
  Vec<T> low = broadcast(x[0]), high = low;
  const auto see = [&](Vec<T> v) {
    low = minimum<T>(v, low);
    high = maximum<T>(v, high);
  };
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) see(load(x + i));
  if (i < n) {
    const int count = static_cast<int>(n - i);
    see(select<T>(first_lanes<T>(count), load_first(x + i, count), broadcast(x[0])));
  }
  *smallest = low[0];
  *largest = high[0];
  for (int l = 1; l < kStep; ++l) {
    if (low[l] < *smallest) *smallest = low[l];
    if (high[l] > *largest) *largest = high[l];
  }
}

// x . y in f64. Four running sums hide the latency of the fma; they are added in a fixed order.
template <typename X, typename Y>
double dot(int64_t n, const X* x, const Y* y) {
  constexpr int kStep = kWidth<double>;
  Vec<double> s0 = {}, s1 = {}, s2 = {}, s3 = {};
  int64_t i = 0;
  for (; i + 4 * kStep <= n; i += 4 * kStep) {
    s0 = fma(load_as_double(x + i), load_as_double(y + i), s0);
    s1 = fma(load_as_double(x + i + kStep), load_as_double(y + i + kStep), s1);
    s2 = fma(load_as_double(x + i + 2 * kStep), load_as_double(y + i + 2 * kStep), s2);
    s3 = fma(load_as_double(x + i + 3 * kStep), load_as_double(y + i + 3 * kStep), s3);
  }
  for (; i + kStep <= n; i += kStep) s0 = fma(load_as_double(x + i), load_as_double(y + i), s0);
  double tail = 0;
  for (; i < n; ++i) tail += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return sum<double>((s0 + s1) + (s2 + s3)) + tail;
}

// As many rows at a time as a Vec<double> has lanes: their running sums are transposed, so that one addition of vectors
// sums all of them. A row has the same bits wherever it stands.
template <typename T>
void dot_rows_wide(int64_t rows, int64_t n, const T* x, int64_t stride, const double* y, double* out) {
  constexpr int kRows = kWidth<double>;
  for (int64_t i = 0; i < rows; i += kRows) {
    const int count = rows - i < kRows ? static_cast<int>(rows - i) : kRows;
    const T* row[kRows];
    for (int r = 0; r < kRows; ++r) row[r] = x + (i + (r < count ? r : 0)) * stride;
    Vec<double> sums[kRows] = {}, tail = {};
    int64_t j = 0;
    for (; j + kRows <= n; j += kRows) {
      const Vec<double> v = load(y + j);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) sums[r] = fma(load_as_double(row[r] + j), v, sums[r]);
    }
    for (; j < n; ++j) {
      Vec<double> column{};
      for (int r = 0; r < kRows; ++r) column[r] = static_cast<double>(row[r][j]);
      tail = fma(column, broadcast(y[j]), tail);
    }
    transpose<double>(sums);
    for (int r = 0; r < kRows; ++r) tail += sums[r];
    store_first(out + i, tail, count);
  }
}

// y += alpha x, computed in the type of y.
template <typename T>
void axpy(int64_t n, T alpha, const T* x, T* y) {
  constexpr int kStep = kWidth<T>;
  const Vec<T> factor = broadcast(alpha);
  int64_t i = 0;
  for (; i + 2 * kStep <= n; i += 2 * kStep) {
    const Vec<T> first = fma(factor, load(x + i), load(y + i));
    const Vec<T> second = fma(factor, load(x + i + kStep), load(y + i + kStep));
    store(y + i, first);
    store(y + i + kStep, second);
  }
  for (; i < n; i += kStep) {
    const int count = n - i < kStep ? static_cast<int>(n - i) : kStep;
    store_first(y + i, fma(factor, load_first(x + i, count), load_first(y + i, count)), count);
  }
}

template <typename T>
void axpy_wide(int64_t n, double alpha, const T* x, double* y) {
  constexpr int kStep = kWidth<double>;
  const Vec<double> factor = broadcast(alpha);
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) store(y + i, fma(factor, load_as_double(x + i), load(y + i)));
  for (; i < n; ++i) y[i] += alpha * static_cast<double>(x[i]);
}

inline Vec<double> magnitude(Vec<double> v) { return v < Vec<double>{} ? -v : v; }

// sum of |x_i| in f64, always in the same order.
template <typename T>
double magnitude_sum(int64_t n, const T* x) {
  constexpr int kStep = kWidth<double>;
  Vec<double> even{}, odd{};
  int64_t i = 0;
  for (; i + 2 * kStep <= n; i += 2 * kStep) {
    even += magnitude(load_as_double(x + i));
    odd += magnitude(load_as_double(x + i + kStep));
  }
  double tail = 0;
  for (; i < n; ++i) tail += __builtin_fabs(static_cast<double>(x[i]));
  return sum<double>(even + odd) + tail;
}

// y_i += |x_i|
template <typename T>
void add_magnitudes(int64_t n, const T* x, double* y) {
  constexpr int kStep = kWidth<double>;
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) store(y + i, load(y + i) + magnitude(load_as_double(x + i)));
  for (; i < n; ++i) y[i] += __builtin_fabs(static_cast<double>(x[i]));
}

// Four rows at a time, so that y is read and written once for all of them. The bits are those of one row after the
// other.
template <typename T>
void axpy_rows_wide(int64_t rows, int64_t n, const double* alpha, const T* x, int64_t stride, double* y) {
  constexpr int kRows = 4, kStep = kWidth<double>;
  int64_t i = 0;
  for (; i + kRows <= rows; i += kRows) {
    const T* const row = x + i * stride;
    const Vec<double> a0 = broadcast(alpha[i]), a1 = broadcast(alpha[i + 1]);
    const Vec<double> a2 = broadcast(alpha[i + 2]), a3 = broadcast(alpha[i + 3]);
    int64_t j = 0;
    for (; j + kStep <= n; j += kStep) {
      Vec<double> v = fma(a0, load_as_double(row + j), load(y + j));
      v = fma(a1, load_as_double(row + stride + j), v);
      v = fma(a2, load_as_double(row + 2 * stride + j), v);
      store(y + j, fma(a3, load_as_double(row + 3 * stride + j), v));
    }
    for (; j < n; ++j) {
      for (int r = 0; r < kRows; ++r) y[j] += alpha[i + r] * static_cast<double>(row[r * stride + j]);
    }
  }
  for (; i < rows; ++i) axpy_wide(n, alpha[i], x + i * stride, y);
}

}  // namespace
}  // namespace kronroot::cpu
