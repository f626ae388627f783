// f32 products on the matrix unit: operands split into three bf16 parts (bf16.hpp), which hold them entirely.
//
// |C - (alpha A B + beta D + gamma I)| <= (3 k + 2) ulp (|alpha| |A| |B| + |beta D| + |gamma| I), element by element:
// six products are added for one, and each addition rounds. What lies below 2^-85 of the largest among the same 32 rows
// of A, or columns of B, may count as 0. Infinite elements make NaN of what they touch.
#pragma once

#include "../kernels.hpp"

namespace kronroot::cpu {

// Whether the product is, or is part of one, of a size at which the unit is faster.
inline bool is_worth_splitting(const Kernels<float>& kernels, const Product<float>& p) {
  const int64_t least = kernels.split_order;
  const int64_t m = p.whole_m == 0 ? p.m : p.whole_m, n = p.whole_n == 0 ? p.n : p.whole_n;
  return kernels.bf16 != nullptr && m >= least && n >= least && p.k >= least && p.m > 0 && p.n > 0;
}

// A 32 x 32 block of C depends on nothing but its rows of A and its columns of B. Throws std::bad_alloc.
void multiply_split(const Kernels<float>& kernels, const Product<float>& p);

// As many of the rows as make whole blocks: where C may be cut, so that parts have the bits of the whole.
constexpr int64_t whole_blocks(int64_t rows) { return rows / 32 * 32; }

}  // namespace kronroot::cpu
