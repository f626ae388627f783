// The modes of a tensor that mode_product (ops.h) multiplies, in the order in which it does.
#pragma once

#include <array>
#include <cstdint>

#include "../include/kronroot/ops.h"

namespace kronroot {

struct Mode {
  int number = 0;  // 0 for the first dimension
  int64_t from = 0, to = 0;
  bool is_transposed = false;
  const kr_batch* factor = nullptr;  // null for the identity, from = to
};

struct Modes {
  int order = 0;
  std::array<Mode, KR_MOST_MODES> by_dimension;
  int count = 0;                                // of modes with a factor
  std::array<int, KR_MOST_MODES> in_turn = {};  // their numbers, the first to be multiplied first

  // Elements of the tensor after the first `turns` products; may be asked for checked arguments only.
  int64_t elements(int turns) const;
  double flops() const;
};

// From options and factors whose shapes are right (check_mode_product).
Modes modes_of(const kr_mode_product_options* options, const kr_batch& x, const kr_batch* const* factors);

}  // namespace kronroot
