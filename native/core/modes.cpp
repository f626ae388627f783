#include "modes.hpp"

#include <algorithm>

namespace kronroot {

Modes modes_of(const kr_mode_product_options* given, const kr_batch& x, const kr_batch* const* factors) {
  const kr_mode_product_options options = given == nullptr ? kr_mode_product_options{} : *given;
  Modes modes;
  modes.order = options.order == 0 ? 2 : options.order;
  for (int i = 0; i < modes.order; ++i) {
    Mode& mode = modes.by_dimension[static_cast<size_t>(i)];
    mode.number = i;
    mode.from = options.order != 0 ? options.dims[i] : i == 0 ? x.rows : x.cols;
    mode.is_transposed = (options.transpose >> i & 1) != 0;
    mode.factor = factors[i];
    mode.to = mode.factor == nullptr ? mode.from : mode.is_transposed ? mode.factor->cols : mode.factor->rows;
    if (mode.factor != nullptr) modes.in_turn[static_cast<size_t>(modes.count++)] = i;
  }
  // 1/d - 1/e; where a dimension is empty, so is the tensor.
  const auto key = [&](int i) {
    const Mode& mode = modes.by_dimension[static_cast<size_t>(i)];
    if (mode.from == 0 || mode.to == 0) return 0.0;
    return 1 / static_cast<double>(mode.from) - 1 / static_cast<double>(mode.to);
  };
  std::stable_sort(modes.in_turn.begin(), modes.in_turn.begin() + modes.count,
                   [&](int i, int j) { return key(i) < key(j); });
  return modes;
}

int64_t Modes::elements(int turns) const {
  int64_t product = 1;
  for (int i = 0; i < order; ++i) {
    const Mode& mode = by_dimension[static_cast<size_t>(i)];
    const bool is_done = std::find(in_turn.begin(), in_turn.begin() + turns, i) != in_turn.begin() + turns;
    product *= is_done ? mode.to : mode.from;
  }
  return product;
}

double Modes::flops() const {
  double sum = 0;
  for (int turn = 0; turn < count; ++turn) {
    const Mode& mode = by_dimension[static_cast<size_t>(in_turn[static_cast<size_t>(turn)])];
    sum += 2 * static_cast<double>(mode.to) * static_cast<double>(elements(turn));
  }
  return sum;
}

}  // namespace kronroot
