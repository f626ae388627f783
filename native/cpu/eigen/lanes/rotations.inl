// Plane rotations of QL sweeps in every lane, recorded first and applied to the panels later, many at a time: the
// scheme of ../rotations.inl, with a pair (t, -s) of vectors for every rotation. t = s = 0 is the identity, exactly, so
// lanes whose sweeps differ in range share a wave.
#pragma once

#include "panels.inl"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

// Rotations (i, i + 1) for low <= i < high, in kSweeps sweeps of falling i. Rotation i of sweep k is entry
// (high - 1 - i + k) kSweeps + k.
template <typename Shape, typename T>
struct LaneWave {
  static constexpr int kSweeps = Shape::kSweeps;

  int64_t low;
  int64_t high;
  T* entries;

  static constexpr int64_t kEntry = 2 * kWidth<T>;
  int64_t steps() const { return high - low + Shape::kMargin; }
  int64_t size() const { return kSweeps * kEntry * steps(); }
  T* entry(int k, int64_t i) const { return entries + ((high - 1 - i + k) * kSweeps + k) * kEntry; }
};

template <typename Shape, typename T>
[[gnu::noinline]] void apply_wave(const LaneWave<Shape, T>& wave, T* panel) {
  constexpr int W = kWidth<T>, kRows = Shape::kRows, kSweeps = Shape::kSweeps;
  constexpr int64_t kColumn = kRows * W;
  Vec<T> carried[kSweeps][kRows];
  T* column = panel + wave.high * kColumn;
#pragma GCC unroll 8
  for (int k = 0; k < kSweeps; ++k) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) carried[k][r] = load(column + k * kColumn + r * W);
  }
  const T* entry = wave.entries;
  for (int64_t step = wave.steps(); step > 0; --step) {
    column -= kColumn;
    Vec<T> moving[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) moving[r] = load(column + r * W);
#pragma GCC unroll 8
    for (int k = 0; k < kSweeps; ++k) {
      const Vec<T> t = load(entry + 2 * k * W), minus_s = load(entry + (2 * k + 1) * W);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const Vec<T> x = fma(t, moving[r], carried[k][r]);
        carried[k][r] = fma(minus_s, x, moving[r]);
        moving[r] = fma(t, carried[k][r], x);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) store(column + kSweeps * kColumn + r * W, moving[r]);
    entry += 2 * kSweeps * W;
  }
#pragma GCC unroll 8
  for (int k = 0; k < kSweeps; ++k) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) store(column + k * kColumn + r * W, carried[k][r]);
  }
}

// Collects sweeps into waves and applies them when the table is full.
template <typename Shape, typename T>
class LaneRotations {
  static constexpr int kSweeps = Shape::kSweeps;

 public:
  // Elements of T for the table of order n: several waves, as far as they stay in the L2 cache beside a panel.
  static constexpr int64_t table_size(int64_t n) {
    const int64_t wave = kSweeps * LaneWave<Shape, T>::kEntry * (n + Shape::kMargin),
                  cached = (int64_t{1} << 18) / int64_t{sizeof(T)};
    return wave > cached ? wave : cached;
  }

  LaneRotations(LanePanels<Shape, T> panels, T* table) : panels_(panels), table_(table) {}

  // Opens the next sweep, whose rotations are all >= low, and returns where rotation i goes.
  void open(int64_t low) {
    if (sweeps_ == kSweeps || count_ == 0 || low < waves_[count_ - 1].low) open_wave(low);
    ++sweeps_;
  }
  void record(int64_t i, Vec<T> t, Vec<T> minus_s) {
    T* entry = waves_[count_ - 1].entry(sweeps_ - 1, i);
    store(entry, t);
    store(entry + kWidth<T>, minus_s);
  }

  void apply() {
    for (int64_t p = 0; p < panels_.count(); ++p) {
      for (int w = 0; w < count_; ++w) apply_wave(waves_[w], panels_.column(p, 0));
    }
    count_ = 0;
    used_ = 0;
  }

 private:
  void open_wave(int64_t low) {
    LaneWave<Shape, T> wave{low, panels_.order - 1, nullptr};
    if (count_ == kMostWaves || used_ + wave.size() > table_size(panels_.order)) apply();
    wave.entries = table_ + used_;
    __builtin_memset(wave.entries, 0, static_cast<size_t>(wave.size()) * sizeof(T));
    used_ += wave.size();
    waves_[count_++] = wave;
    sweeps_ = 0;
  }

  static constexpr int kMostWaves = 64;

  LanePanels<Shape, T> panels_;
  T* table_;
  int64_t used_ = 0;
  int count_ = 0;
  int sweeps_ = 0;  // in the last wave
  LaneWave<Shape, T> waves_[kMostWaves];
};

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
