// The loop over a batch: compute everything first, then write, so that a call that fails has touched nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <vector>

#include "../include/kronroot/backend.h"
#include "dense.hpp"

namespace kronroot::reference {

// What an op found for one matrix: the report and one value per output descriptor, or none after a failure.
struct Answer {
  kr_report report;
  std::vector<Dense> outputs;
};

// What becomes of a value that the dtype of the output cannot hold.
enum class Overflow {
  reported,    // KR_STATUS_OVERFLOW, output untouched
  propagated,  // written as it is: ops without reports
};

// Runs compute(0) .. compute(batch - 1) and writes the answers. `reports` may be NULL. Returns KR_CANCELLED after
// writing what was finished, KR_OUT_OF_MEMORY without having written anything.
kr_code run_batch(const kr_call* call, std::initializer_list<const kr_batch*> outputs, kr_report* reports,
                  Overflow overflow, const std::function<Answer(int64_t)>& compute);

}  // namespace kronroot::reference
