// Jacobi's method for one symmetric matrix of order N = 4, 8, 16 or 32, in N lanes of a warp and in registers.
//
// Lane l holds column l of A and row l of V. Rotations are those of the odd-even ordering: steps turn the neighbours
// (0,1), (2,3), ... and (1,2), (3,4), ... in alternation, and the two of a pair change places, so that N steps meet
// every pair once. Neighbours always stand at indices known at compile time: rows turn within a lane, the columns of a
// pair meet in one shuffle, and V, held by rows, needs none. The angles of a step go through shared memory.
//
// The diagonal is kept apart, updated by Rutishauser's formula; a rotated element is set to zero, not left to rounding.
// A step turns what is above the tolerance; the matrix is diagonal when N steps in a row had nothing to turn. Steps
// beyond that only exchange places, which the order of the eigenvalues does not see: a matrix gets the same bits beside
// slower ones.
//
// Source: Golub and Van Loan, Matrix Computations, 8.5; Luk and Park, SIAM J. Sci. Stat. Comput. 10 (1989), for the
// ordering; Rutishauser, Handbook for Automatic Computation II, contribution II/1.
#pragma once

#include <cmath>
#include <limits>

#include "../device.cuh"

namespace kronroot::cuda {

// x[i], without an index into registers that is known only at run time.
template <typename T, int N>
__device__ __forceinline__ T element(const T (&x)[N], int i) {
  if constexpr (N == 1) {
    return x[0];
  } else {
    T half[N / 2];
#pragma unroll
    for (int k = 0; k < N / 2; ++k) half[k] = (i & 1) != 0 ? x[2 * k + 1] : x[2 * k];
    return element(half, i >> 1);
  }
}

template <typename T, int N, bool has_vectors>
class Jacobi {
 public:
  // Elements of shared memory for the angles of a group of N lanes.
  static constexpr int angle_elements = 2 * N;
  static constexpr int most_sweeps = 60;

  T a[N];                    // column of A
  T v[has_vectors ? N : 1];  // row of V
  T value;                   // at the end: the eigenvalue of this place
  int origin;                // the place where this eigenvalue began

  // After a[] was filled. Elements up to the tolerance count as zero. Returns the number of sweeps, -1 where they were
  // too many; the same in all lanes of the group.
  __device__ int run(T tolerance, Shared<T> angles) {
    const int lane = lane_index() % N;
    value = element(a, lane);
    origin = lane;
    if constexpr (has_vectors) {
#pragma unroll
      for (int k = 0; k < N; ++k) v[k] = k == lane ? T(1) : T(0);
    }
    const uint32_t first_lane = static_cast<uint32_t>(lane_index() - lane);
    const uint32_t group = (N == warp_size ? full_warp : (1u << (N % warp_size)) - 1) << first_lane;
    int quiet = 0, steps = 0;
    for (int done = 0; done < most_sweeps * N / 2; ++done) {
      const bool turned_even = step<0>(tolerance, angles);
      const bool turned_odd = step<1>(tolerance, angles + N);
      const bool is_quiet = (ballot(turned_even || turned_odd) & group) == 0;
      quiet = is_quiet ? quiet + 1 : 0;
      if (!is_quiet) steps = 2 * (done + 1);
      if (all_of_warp(quiet >= N / 2)) break;
    }
    return quiet >= N / 2 ? (steps + N - 1) / N : -1;
  }

  // The place of this lane's eigenvalue among the `n` of the matrix in ascending order, n or more for what pads the
  // matrix to order N.
  __device__ int rank(int n) const {
    int before = 0;
#pragma unroll 4
    for (int k = 0; k < N; ++k) {
      const T other = shuffle(value, k, N);
      const int other_origin = shuffle(origin, k, N);
      const bool is_less = other < value || (other == value && other_origin < origin);
      const bool is_before = (other_origin < n) == (origin < n) ? is_less : other_origin < n;
      before += is_before ? 1 : 0;
    }
    return before;
  }

 private:
  // Pairs (2k + first, 2k + first + 1). Whether this lane's pair was turned.
  template <int first>
  __device__ __forceinline__ bool step(T tolerance, Shared<T> angles) {
    const int lane = lane_index() % N;
    const bool is_first_of_pair = lane % 2 == first;
    const int neighbour = is_first_of_pair ? lane + 1 : lane - 1;
    const bool has_pair = neighbour >= 0 && neighbour < N;
    const int partner = has_pair ? neighbour : lane;

    // Both lanes take the element that the first one has, so that they agree on the angle.
    const T own = element(a, partner);
    const T pq = shuffle(own, is_first_of_pair ? lane : partner, N);
    const T other_value = shuffle(value, partner, N);
    const bool turns = has_pair && std::abs(pq) > tolerance;
    T c = 1, s = 0, moved = 0;
    if (turns) {
      // t^2 + 2 theta t = 1, the smaller root.
      const T theta = (is_first_of_pair ? other_value - value : value - other_value) / (2 * pq);
      const T t = std::copysign(T(1), theta) / (std::abs(theta) + std::sqrt(1 + theta * theta));
      c = 1 / std::sqrt(1 + t * t);
      s = t * c;
      moved = t * pq;
    }
    value = has_pair ? (is_first_of_pair ? other_value + moved : other_value - moved) : value;
    origin = shuffle(origin, partner, N);

    if (is_first_of_pair && has_pair) store_vector(angles, 2 * (lane / 2), Vector<T, 2>{{c, s}});
    // The 2 x 2 block of the pair becomes diagonal, and the diagonal is `value`.
    const int pair = (lane - first) >> 1;
#pragma unroll
    for (int k = 0; k < (N - first) / 2; ++k) {
      const bool is_own = pair == k;
      a[2 * k + first] = is_own ? T(0) : a[2 * k + first];
      a[2 * k + first + 1] = is_own ? T(0) : a[2 * k + first + 1];
    }
    const T own_share = !has_pair ? T(0) : is_first_of_pair ? s : -s;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const T across = shuffle(a[k], partner, N);
      a[k] = c * across + own_share * a[k];
    }
    sync_warp();
#pragma unroll
    for (int k = 0; k < (N - first) / 2; ++k) {
      const Vector<T, 2> angle = load_vector<2>(angles, 2 * k);
      turn(a[2 * k + first], a[2 * k + first + 1], angle[0], angle[1]);
      if constexpr (has_vectors) turn(v[2 * k + first], v[2 * k + first + 1], angle[0], angle[1]);
    }
    return turns;
  }

  // (x, y) <- (s x + c y, c x - s y): turned, and in each other's place.
  static __device__ __forceinline__ void turn(T& x, T& y, T c, T s) {
    const T first = x, second = y;
    x = s * first + c * second;
    y = c * first - s * second;
  }
};

}  // namespace kronroot::cuda
