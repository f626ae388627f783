// The same report for every matrix of a call, for instance where the matrices are empty.
#pragma once

#include "op.hpp"

namespace kronroot::cuda {

// Enqueues it; nothing where `reports` is NULL.
void report_all(Op& op, kr_report* reports, int64_t batch, const kr_report& report);

}  // namespace kronroot::cuda
