// Plane rotations of QL sweeps, recorded first and applied to the eigenvector matrix later, many at a time.
//
// Eigenvectors are kept in panels: a panel holds a few vectors of components of every eigenvector, eigenvector after
// eigenvector, so a rotation mixes two neighbouring rows of the panel, and a panel stays in the cache while many sweeps
// pass.
//
// A wave is up to kWave sweeps applied together: sweep k runs k rows behind sweep k - 1, one load and one store of a
// row serve all of them (Van Zee, van de Geijn and Quintana-Orti, Restructuring the tridiagonal and bidiagonal QR
// algorithms for performance, ACM TOMS 40 (2014), fuse rotations in the same spirit). A rotation
//   row_{i+1} <- c row_{i+1} + s row_i,   row_i <- c row_i - s row_{i+1},   c >= 0,
// is applied as three shears with t = s / (1 + c), one multiply-add each instead of two multiplications and two
// multiply-adds:
//   x = row_{i+1} + t row_i,   row_i <- row_i - s x,   row_{i+1} <- x + t row_i.
// t = s = 0 is the identity, so sweeps of different range share a wave by padding.
#pragma once

#include "storage.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Sweeps to a wave: a row carried for each, of up to 4 vectors, has to fit the registers.
constexpr int kWave = kVectorBytes == 64 ? 4 : 2;

// Rows before and after the eigenvectors of a panel, which the ragged ends of a wave pass through unchanged.
constexpr int64_t kMargin = kWave - 1;

template <typename T>
struct Panels {
  T* data;
  int64_t order;
  int64_t lanes;  // components to a panel: 1, 2 or 4 vectors

  int64_t count() const { return (order + lanes - 1) / lanes; }
  int64_t size() const { return (order + 2 * kMargin) * lanes; }
  // Row of eigenvector j in panel p.
  T* row(int64_t p, int64_t j) const { return data + p * size() + (j + kMargin) * lanes; }
};

// Components of the eigenvectors to a panel. A panel should stay in the L2 cache beside the table of rotations while
// all waves of the table pass over it, and leave few lanes empty; more vectors to a row hide the latency of the shears.
template <typename T>
constexpr int64_t panel_lanes(int64_t n) {
  constexpr int64_t kCache = 131072;
  const int64_t vectors = padded<T>(n) / kWidth<T>;
  if (vectors % 4 == 0 && 4 * kWidth<T> * n * int64_t{sizeof(T)} <= kCache) return 4 * kWidth<T>;
  return vectors == 1 ? kWidth<T> : 2 * kWidth<T>;
}

// Rotations (i, i + 1) for low <= i < high, in kWave sweeps of falling i. Rotation i of sweep k is entry
// (high - 1 - i + k) kWave + k, a pair (t, -s).
template <typename T>
struct Wave {
  int64_t low;
  int64_t high;
  T* entries;

  int64_t steps() const { return high - low + kMargin; }
  int64_t size() const { return 2 * kWave * steps(); }
};

template <typename T, int Vectors>
[[gnu::noinline]] void apply_wave(Wave<T> wave, T* panel) {
  constexpr int64_t kLanes = Vectors * kWidth<T>;
  Vec<T> carried[kWave][Vectors];
  T* row = panel + wave.high * kLanes;
  for (int k = 0; k < kWave; ++k) {
    for (int r = 0; r < Vectors; ++r) carried[k][r] = load(row + k * kLanes + r * kWidth<T>);
  }
  const T* entry = wave.entries;
  for (int64_t step = wave.steps(); step > 0; --step) {
    row -= kLanes;
    Vec<T> moving[Vectors];
    for (int r = 0; r < Vectors; ++r) moving[r] = load(row + r * kWidth<T>);
#pragma GCC unroll 4
    for (int k = 0; k < kWave; ++k) {
      const Vec<T> t = broadcast(entry[2 * k]), minus_s = broadcast(entry[2 * k + 1]);
      for (int r = 0; r < Vectors; ++r) {
        const Vec<T> x = fma(t, moving[r], carried[k][r]);
        carried[k][r] = fma(minus_s, x, moving[r]);
        moving[r] = fma(t, carried[k][r], x);
      }
    }
    for (int r = 0; r < Vectors; ++r) store(row + kWave * kLanes + r * kWidth<T>, moving[r]);
    entry += 2 * kWave;
  }
  for (int k = 0; k < kWave; ++k) {
    for (int r = 0; r < Vectors; ++r) store(row + k * kLanes + r * kWidth<T>, carried[k][r]);
  }
}

template <typename T>
void apply_wave(Wave<T> wave, Panels<T> panels, int64_t p) {
  T* panel = panels.row(p, 0);
  switch (panels.lanes / kWidth<T>) {
    case 1:
      return apply_wave<T, 1>(wave, panel);
    case 2:
      return apply_wave<T, 2>(wave, panel);
    default:
      return apply_wave<T, 4>(wave, panel);
  }
}

// Collects sweeps into waves and applies them when the table is full.
template <typename T>
class Rotations {
 public:
  // Elements of T for the table of order n: one wave of every rotation, or 128 KiB, whichever is more.
  static constexpr int64_t table_size(int64_t n) {
    return larger(2 * kWave * (n + kWave), 131072 / int64_t{sizeof(T)});
  }

  Rotations(Panels<T> panels, T* table) : panels_(panels), table_(table) {}

  // A sweep over low <= i < high: c[j], s[j] is rotation i = high - 1 - j, normalised but for some rounding, which
  // the first order of sqrt(c^2 + s^2) takes out of t. The sine belongs to t as rounded: the shears are then orthogonal
  // to half an ulp. c and s are destroyed.
  void record(int64_t low, int64_t high, double* c, double* s) {
    if (sweeps_ == kWave || count_ == 0 || high > waves_[count_ - 1].high || low < waves_[count_ - 1].low) {
      open_wave(low, high);
    }
    const Wave<T>& wave = waves_[count_ - 1];
    const int64_t k = sweeps_++;
    T* entry = wave.entries + ((wave.high - high + k) * kWave + k) * 2;
    for (int64_t j = 0; j < high - low; ++j) {
      const double radius = 0.5 + 0.5 * (c[j] * c[j] + s[j] * s[j]);
      const double t = static_cast<T>(s[j] / (radius + c[j]));
      c[j] = t;
      s[j] = -2 * t / (1 + t * t);
    }
    for (int64_t j = 0; j < high - low; ++j) {
      entry[0] = static_cast<T>(c[j]);
      entry[1] = static_cast<T>(s[j]);
      entry += 2 * kWave;
    }
  }

  void apply() {
    for (int64_t p = 0; p < panels_.count(); ++p) {
      for (int64_t i = 0; i < count_; ++i) apply_wave(waves_[i], panels_, p);
    }
    count_ = 0;
    used_ = 0;
  }

 private:
  void open_wave(int64_t low, int64_t high) {
    Wave<T> wave{low, high, nullptr};
    if (count_ == kMostWaves || used_ + wave.size() > table_size(panels_.order)) apply();
    wave.entries = table_ + used_;
    for (int64_t i = 0; i < wave.size(); ++i) wave.entries[i] = 0;
    used_ += wave.size();
    waves_[count_++] = wave;
    sweeps_ = 0;
  }

  static constexpr int64_t kMostWaves = 256;

  Panels<T> panels_;
  T* table_;
  int64_t used_ = 0;
  int64_t count_ = 0;
  int64_t sweeps_ = 0;  // in the last wave
  Wave<T> waves_[kMostWaves];
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
