#include "schedules.hpp"

#include <cstddef>
#include <cstring>
#include <string>

namespace kronroot::cuda {

const MinimaxTable* minimax_table(Op& op, int p, double tolerance) {
  const std::string name = "minimax " + std::to_string(p) + (tolerance > 1e-12 ? " f32" : " f64");
  const void* table = op.table(name, [&] {
    std::vector<int32_t> first;
    std::vector<MinimaxStep> steps;
    for (int bucket = 0; bucket < MinimaxTable::buckets; ++bucket) {
      first.push_back(static_cast<int32_t>(steps.size()));
      const double condition = std::pow(10, static_cast<double>(bucket) / MinimaxTable::per_decade);
      const std::vector<MinimaxStep>& schedule = minimax_schedule(p, condition, tolerance);
      steps.insert(steps.end(), schedule.begin(), schedule.end());
    }
    first.push_back(static_cast<int32_t>(steps.size()));
    constexpr std::size_t head = offsetof(MinimaxTable, steps);
    std::vector<unsigned char> bytes(head + steps.size() * sizeof(MinimaxStep));
    std::memcpy(bytes.data(), first.data(), first.size() * sizeof(int32_t));
    std::memcpy(bytes.data() + head, steps.data(), steps.size() * sizeof(MinimaxStep));
    return bytes;
  });
  return static_cast<const MinimaxTable*>(table);
}

int most_minimax_steps(int p, double condition, double tolerance) {
  return static_cast<int>(minimax_schedule(p, condition, tolerance).size());
}

}  // namespace kronroot::cuda
