#include "orthogonalize_schedule.hpp"

#include <algorithm>
#include <vector>

#include "polar_express.hpp"

namespace kronroot {
namespace {

int copy_repeating_last(const Quintic* table, int count, int steps, Quintic* out, int capacity) {
  for (int k = 0; k < std::min(steps, capacity); ++k) out[k] = table[std::min(k, count - 1)];
  return steps;
}

}  // namespace

int orthogonalize_schedule(const kr_orthogonalize_options& options, Quintic* out, int capacity) {
  if (options.table == KR_TABLE_POLAR_EXPRESS) {
    PolarExpress express;
    if (options.polar_express_lower > 0) express.lower = options.polar_express_lower;
    if (options.polar_express_cushion > 0) express.cushion = options.polar_express_cushion;
    if (options.safety > 0) express.safety = options.safety;
    if (options.steps > 0) express.steps = options.steps;
    if (capacity >= express.steps) {
      polar_express(express, out);
    } else if (capacity > 0) {
      std::vector<Quintic> all(static_cast<size_t>(express.steps));
      polar_express(express, all.data());
      std::copy(all.begin(), all.begin() + capacity, out);
    }
    return express.steps;
  }
  if (options.table == KR_TABLE_CUSTOM) {
    const int count = options.coefficient_count;
    const int steps = options.steps > 0 ? options.steps : count;
    for (int k = 0; k < std::min(steps, capacity); ++k) {
      const double* triple = options.coefficients + 3 * std::min(k, count - 1);
      out[k] = {triple[0], triple[1], triple[2]};
    }
    return steps;
  }
  const NamedTable& table = *named_table(options.table);
  return copy_repeating_last(table.steps, table.count, options.steps > 0 ? options.steps : table.published_steps, out,
                             capacity);
}

double orthogonalize_safety(const kr_orthogonalize_options& options) {
  if (options.table == KR_TABLE_POLAR_EXPRESS) return 1;
  if (options.safety != 0) return options.safety;
  return options.table == KR_TABLE_AOL ? aol_safety : 1;
}

}  // namespace kronroot
