// Sizes at which one route overtakes another. They are measurements, not constants: the table that is built in
// (crossovers.inc) was made by `npm run tune`, and the file that KRONROOT_CROSSOVERS names replaces it for a machine of
// the user's own.
//
// A table is text, one row a line, # starts a comment:
//   lanes ISA OP DTYPE N BATCH
//     up to n = N the op computes one matrix to a lane, in calls of at least BATCH; n is the longer side of a
//     rectangle, and the longest of m, n and k of a product
//   minimax ISA DTYPE PRODUCTS CONDITION FROM N
//     for conditions up to CONDITION and FROM <= n <= N the minimax root is the faster one; PRODUCTS as
//     products_of_step (planner.hpp)
//   split ISA ORDER
//     f32 products of matrices with no side below ORDER are faster on the matrix unit, as products of bf16 parts
// ISA is a name as in KRONROOT_ISA, DTYPE f32 or f64, OP a name of LaneOp. Rows may stand in any order; those of
// avx512 hold for amx too, which shares its other kernels.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kronroot {

// Ops that have kernels with one matrix to a lane.
enum class LaneOp : int {
  matmul,
  gram,
  eigh,
  eigh_values,
  inverse_root,
  cholesky,
  spd_inverse,
  spd_solve,
  orthogonalize,
  qr,
  svd,
  triangular_solve,
  spectral_norm,  // norm_estimate of a spectral norm
  exact_norm,     // of the others
};

// The rows of one instruction set.
struct Crossovers {
  struct Lanes {
    LaneOp op;
    int32_t dtype;
    int64_t largest_n;
    int64_t least_batch;
  };
  struct Minimax {
    int32_t dtype;
    int products;
    double condition;
    int64_t least_n;
    int64_t largest_n;
  };
  std::vector<Lanes> lanes;
  std::vector<Minimax> minimax;
  int64_t split_order = INT64_MAX;
};

// The rows of `isa` in a table; null with a message (line and reason) where the text is no table. An instruction set
// without rows has none of the routes.
std::unique_ptr<const Crossovers> parse_crossovers(std::string_view text, std::string_view isa, std::string* message);

// The rows of `isa` that are built in, kept for the life of the process. Thread-safe.
const Crossovers& built_in_crossovers(std::string_view isa);

}  // namespace kronroot
