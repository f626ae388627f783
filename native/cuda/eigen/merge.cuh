// One level of divide and conquer: every two neighbouring parts of order h become one of order 2 h.
//
// The tridiagonal matrix of both is
//   [ T1     ]         T
//   [     T2 ] + rho u u,    u = (0 .. 0 1 | +-1 0 .. 0),
// in the eigenvectors Q of T1 and T2 the rank-one update D + rho z z^T, z made of the last components of the
// eigenvectors of T1 and the first ones of T2 (Cuppen, Numer. Math. 36 (1981)); rho is that of |z| = 1.
//
// The eigenvectors of the whole are Q W. W has a column for each of them, in ascending order of the eigenvalues:
// the weights z_p / (d_p - x) of the roots x of the secular equation, unit vectors for what deflates, and all of it
// turned by the rotations that deflation makes (Dongarra and Sorensen, SIAM J. Sci. Stat. Comput. 8 (1987)). Deflation
// leaves the products of the same size, so that one batched product does all merges of all matrices.
#pragma once

#include <cstdint>

#include "../device.cuh"

namespace kronroot::cuda {

// Arrays of one element for each eigenvalue, those of merge m from 2 h m on.
struct MergeArrays {
  double* values;  // of the parts, ascending in each; then of the whole
  double* pole;    // in ascending order, as are z and column
  double* z;
  int32_t* column;    // of Q
  double* kept_pole;  // what does not deflate
  double* kept_z;
  double* corrected_z;
  int32_t* kept_column;
  int32_t* origin;  // root p is kept_pole[origin] + offset
  double* offset;
  double* deflated_value;
  int32_t* deflated_column;
  int32_t* turned_first;  // columns of the rotations
  int32_t* turned_second;
  double* cosine;
  double* sine;
  int32_t* source;  // of an eigenvalue of the whole: root p, or -1 - q for what deflated as number q
};

struct MergeCounts {
  int32_t kept;
  int32_t deflated;
  int32_t rotations;
  double rho;
};

struct MergeLevel {
  int half = 0;        // h
  int64_t merges = 0;  // of the whole batch
  int merges_of_matrix = 0;
  const double* e = nullptr;  // of the tridiagonal matrices
  const double* bound = nullptr;
  MergeArrays arrays{};
  MergeCounts* counts = nullptr;
  const int32_t* skip = nullptr;  // for each matrix
  int32_t* skip_parts = nullptr;  // for each part
  int32_t* unsolved = nullptr;    // for each matrix
};

}  // namespace kronroot::cuda
