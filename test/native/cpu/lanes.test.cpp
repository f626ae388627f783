// Matrices to lanes and back, with four lanes of f32 or two of f64; every instruction set runs the same source.
#include <cmath>
#include <limits>
#include <vector>

#include "native/core/matrix.hpp"
#include "native/cpu/symmetric_input.hpp"
#include "test/native/cpu/devices.hpp"

namespace kronroot::cpu {
namespace {
constexpr int kVectorBytes = 16;
}  // namespace
}  // namespace kronroot::cpu

#include "native/cpu/isa/lanes.inl"

namespace kronroot::cpu {
namespace {

template <typename T>
inline bool any(Mask<T> mask) {
  for (int l = 0; l < kWidth<T>; ++l) {
    if (mask[l] != 0) return true;
  }
  return false;
}

template <typename T>
inline Vec<T> load_first(const T* from, int count) {
  Vec<T> v = {};
  for (int i = 0; i < count; ++i) v[i] = from[i];
  return v;
}
template <typename T, typename V>
inline void store_first(T* to, V v, int count) {
  for (int i = 0; i < count; ++i) to[i] = v[i];
}

}  // namespace
}  // namespace kronroot::cpu

#include "native/cpu/lanes/read.inl"
#include "native/cpu/lanes/write.inl"

namespace {

using namespace kronroot::test;
using namespace kronroot::cpu;
using kronroot::Matrix;

template <typename T>
LaneGroup<const T> group_of(const std::vector<T>& data, int64_t rows, int64_t cols, int64_t row_stride, int count) {
  return {data.data(), rows, cols, row_stride, rows * row_stride + 3, count};
}

template <typename T>
void check_copies(int64_t rows, int64_t cols, int64_t row_stride, int64_t stride, int count) {
  Uniform random(5);
  const int64_t matrix_stride = rows * row_stride + 3;
  std::vector<T> from(static_cast<size_t>(count * matrix_stride));
  for (T& each : from) each = static_cast<T>(random.next());
  std::vector<T> lanes(static_cast<size_t>((rows * stride + 1) * kWidth<T>), T{77});
  const IntVec<T> largest = read_lanes(group_of(from, rows, cols, row_stride, count), stride, lanes.data());
  bool copied = true, bounded = true;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < stride; ++j) {
      for (int l = 0; l < kWidth<T>; ++l) {
        const T lane = lanes[static_cast<size_t>((i * stride + j) * kWidth<T> + l)];
        const T expected = j >= cols   ? T{77}
                           : l < count ? from[static_cast<size_t>(l * matrix_stride + i * row_stride + j)]
                                       : T{0};
        copied = copied && lane == expected;
        if (j < cols && l < count) bounded = bounded && std::abs(lane) <= from_bits<T>(largest)[l];
      }
    }
  }
  EXPECT(copied);
  EXPECT(bounded);
  std::vector<T> to(from.size(), T{-5});
  bool wanted[kMostLanes];
  for (int l = 0; l < kMostLanes; ++l) wanted[l] = l % 2 == 0;
  write_lanes<T>(lanes.data(), stride, {to.data(), rows, cols, row_stride, matrix_stride, count}, wanted);
  bool written = true;
  for (int64_t at = 0; at < static_cast<int64_t>(to.size()); ++at) {
    const int64_t l = at / matrix_stride, i = at % matrix_stride / row_stride, j = at % matrix_stride % row_stride;
    const bool inside = l % 2 == 0 && i < rows && j < cols;
    written = written && to[static_cast<size_t>(at)] == (inside ? from[static_cast<size_t>(at)] : T{-5});
  }
  EXPECT(written);
}

// One group with one hard matrix a lane, read together and by read_symmetric.
template <typename T>
void check_symmetric(int64_t n, const std::vector<std::vector<T>>& matrices) {
  for (size_t first = 0; first < matrices.size(); first += kWidth<T>) {
    const int count = static_cast<int>(std::min(matrices.size() - first, size_t{kWidth<T>}));
    std::vector<T> from;
    for (int l = 0; l < count; ++l) {
      from.insert(from.end(), matrices[first + static_cast<size_t>(l)].begin(),
                  matrices[first + static_cast<size_t>(l)].end());
    }
    std::vector<T> lanes(static_cast<size_t>(n * n * kWidth<T>));
    LaneInput input;
    read_symmetric_lanes<T>({from.data(), n, n, n, n * n, count}, n, lanes.data(), input);
    for (int l = 0; l < count; ++l) {
      std::vector<T> alone(static_cast<size_t>(n * n));
      const SymmetricInput expected = read_symmetric(Matrix<T>{from.data() + l * n * n, n, n, n}, alone.data());
      EXPECT(input.status[l] == expected.status);
      if (expected.status != KR_STATUS_OK) continue;
      EXPECT(input.exponent[l] == expected.exponent);
      EXPECT(std::ldexp(input.largest[l], input.exponent[l]) == expected.largest);
      scale_by_power_of_two(n * n, alone.data(), -expected.exponent);
      bool same = true;
      for (int64_t at = 0; at < n * n; ++at) {
        same = same && lanes[static_cast<size_t>(at * kWidth<T> + l)] == alone[static_cast<size_t>(at)];
      }
      EXPECT(same);
    }
    for (int64_t at = 0; at < n * n; ++at) {
      for (int l = 0; l < kWidth<T>; ++l) EXPECT(std::isfinite(lanes[static_cast<size_t>(at * kWidth<T> + l)]));
    }
  }
}

template <typename T>
void check_hard_matrices() {
  constexpr int64_t n = 5;
  using Limits = std::numeric_limits<T>;
  Uniform random(9);
  std::vector<T> plain(n * n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) plain[i * n + j] = plain[j * n + i] = static_cast<T>(random.next());
  }
  std::vector<std::vector<T>> matrices(1, plain);
  for (const T scale : {Limits::max(), Limits::min(), Limits::denorm_min(), T{1e-30}, T{1e30}, T{0}}) {
    matrices.push_back(plain);
    for (T& each : matrices.back()) each *= scale;
  }
  for (const T bad : {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
    matrices.push_back(plain);
    matrices.back()[7] = bad;
  }
  const T slight = plain[1] + T(sizeof(T) == 4 ? 1e-5 : 1e-10), gross = plain[1] + T(0.1);
  for (const T off : {slight, gross}) {
    matrices.push_back(plain);
    matrices.back()[1] = off;
  }
  check_symmetric(n, matrices);
}

TEST("lanes: every shape, stride and count is read and written element by element") {
  for (const int64_t rows : {1, 2, 3, 4, 5, 7, 16, 17}) {
    for (const int64_t cols : {1, 2, 3, 4, 5, 8, 19}) {
      for (const int64_t gap : {0, 1, 6}) {
        for (int count = 1; count <= kWidth<float>; ++count)
          check_copies<float>(rows, cols, cols + gap, cols + 2, count);
        for (int count = 1; count <= kWidth<double>; ++count) check_copies<double>(rows, cols, cols + gap, cols, count);
      }
    }
  }
}

TEST("lanes: symmetric matrices are screened, symmetrised and scaled as read_symmetric does it") {
  check_hard_matrices<float>();
  check_hard_matrices<double>();
}

}  // namespace
