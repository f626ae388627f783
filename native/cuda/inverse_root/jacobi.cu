// Two-sided cyclic Jacobi, one block a matrix, in memory of the device. The n / 2 rotations of a round are of disjoint
// pairs, in the order of a round-robin tournament; what they make of A falls into 2 x 2 blocks, one for two pairs.
// Shared memory: n numbers of f64.
// Source: Golub and Van Loan, Matrix Computations, section 8.5.
#include "jacobi.hpp"

#include <cmath>

#include "../launch.hpp"
#include "../team.cuh"

namespace kronroot::cuda {
namespace {

constexpr int threads = 256;
constexpr int most_sweeps = 40;

struct Pair {
  int first, second;  // first < second
};

// Pair number `index` of a round among `players`, an even number: the circle method.
__device__ Pair pair_of(int round, int index, int players) {
  const int others = players - 1;
  const int i = index == 0 ? others : (round + index) % others;
  const int j = index == 0 ? round : (round - index + others) % others;
  return i < j ? Pair{i, j} : Pair{j, i};
}

struct Rotation {
  double c, s;
};

// Makes a_pq 0; the smaller of both angles.
__device__ Rotation rotation_of(double pp, double qq, double pq) {
  const double theta = (qq - pp) / (2 * pq);
  const double t =
      std::abs(theta) > 1e150 ? 1 / (2 * theta) : copysign(1 / (std::abs(theta) + sqrt(1 + theta * theta)), theta);
  const double c = 1 / sqrt(1 + t * t);
  return {c, t * c};
}

__global__ void __launch_bounds__(threads) jacobi(BatchView<double> as, BatchView<double> vs, Global<double> values,
                                                  Global<const int32_t> skip, Global<int32_t> sweeps) {
  const int64_t b = block_index();
  const int n = static_cast<int>(as.rows), players = n + n % 2, pairs = players / 2;
  SharedArena arena;
  const BlockTeam team{arena.take<double>(threads / warp_size)};
  const Shared<double> cosines = arena.take<double>(pairs), sines = arena.take<double>(pairs);
  if (skip[b] != 0) return;
  const MatrixView<double> a = as[b], v = vs[b];
  double squares = 0;
  for (int e = team.rank(); e < n * n; e += team.size()) {
    const double each = a(e / n, e % n);
    squares += each * each;
    v(e / n, e % n) = e / n == e % n ? 1 : 0;
  }
  // What is smaller is rounding.
  const double negligible = 0x1p-54 * sqrt(team.sum(squares));
  int sweep = 0;
  for (bool rotates = n > 1; rotates && sweep < most_sweeps; ++sweep) {
    double rotated = 0;
    for (int round = 0; round < players - 1; ++round) {
      for (int k = team.rank(); k < pairs; k += team.size()) {
        const Pair pair = pair_of(round, k, players);
        Rotation rotation{1, 0};
        if (pair.second < n) {
          const double pq = a(pair.first, pair.second);
          if (std::abs(pq) > negligible) {
            rotation = rotation_of(a(pair.first, pair.first), a(pair.second, pair.second), pq);
            rotated = 1;
          }
        }
        cosines[k] = rotation.c;
        sines[k] = rotation.s;
      }
      team.sync();
      for (int e = team.rank(); e < pairs * pairs; e += team.size()) {
        const int left = e / pairs, right = e % pairs;
        const Pair row = pair_of(round, left, players), column = pair_of(round, right, players);
        const double cr = cosines[left], sr = sines[left], cc = cosines[right], sc = sines[right];
        if (sr == 0 && sc == 0) continue;
        const bool has_row = row.second < n, has_column = column.second < n;
        const double x00 = a(row.first, column.first), x01 = has_column ? a(row.first, column.second) : 0;
        const double x10 = has_row ? a(row.second, column.first) : 0;
        const double x11 = has_row && has_column ? a(row.second, column.second) : 0;
        const double y00 = cr * x00 - sr * x10, y01 = cr * x01 - sr * x11;
        const double y10 = sr * x00 + cr * x10, y11 = sr * x01 + cr * x11;
        const bool is_eliminated = left == right;
        a(row.first, column.first) = cc * y00 - sc * y01;
        if (has_column) a(row.first, column.second) = is_eliminated ? 0 : sc * y00 + cc * y01;
        if (has_row) a(row.second, column.first) = is_eliminated ? 0 : cc * y10 - sc * y11;
        if (has_row && has_column) a(row.second, column.second) = sc * y10 + cc * y11;
      }
      for (int e = team.rank(); e < n * pairs; e += team.size()) {
        const int i = e / pairs, k = e % pairs;
        const double c = cosines[k], s = sines[k];
        if (s == 0) continue;
        const Pair pair = pair_of(round, k, players);
        const double x = v(i, pair.first), y = v(i, pair.second);
        v(i, pair.first) = c * x - s * y;
        v(i, pair.second) = s * x + c * y;
      }
      team.sync();
    }
    rotates = team.max(rotated) != 0;
  }
  for (int i = team.rank(); i < n; i += team.size()) values[b * n + i] = a(i, i);
  if (team.rank() == 0) sweeps[b] = sweep < most_sweeps ? sweep : -1;
}

}  // namespace

void decompose(Op& op, const BatchView<double>& a, const BatchView<double>& vectors, double* values,
               const int32_t* skip, int32_t* sweeps) {
  const int pairs = static_cast<int>((a.rows + 1) / 2);
  SharedArena arena;
  arena.take<double>(threads / warp_size);
  arena.take<double>(pairs);
  arena.take<double>(pairs);
  launch<jacobi>(op, {.blocks = {a.batch}, .threads = threads, .shared_bytes = arena.bytes()}, a, vectors,
                 Global<double>(values), Global<const int32_t>(skip), Global<int32_t>(sweeps));
}

}  // namespace kronroot::cuda
