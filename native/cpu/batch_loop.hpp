// How an op runs over its batch: threads, cancellation, lack of memory and the reports, in one place.
#pragma once

#include <atomic>
#include <cstdint>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "../include/kronroot/backend.h"
#include "pool.hpp"

namespace kronroot::cpu {

// Runs body(0) .. body(count - 1) on at most call->device->threads threads, fewer where there is little to do:
// flops_each estimates the cost of one index. Returns KR_OK, or KR_CANCELLED or KR_OUT_OF_MEMORY with its message.
kr_code for_each(const kr_call* call, int64_t count, double flops_each, Body body);

// The same for an op with reports: body(b) answers matrix b and returns its kr_report. Matrices that the loop did not
// reach are KR_STATUS_CANCELLED. reports may be null.
template <typename F>
kr_code report_each(const kr_call* call, int64_t batch, double flops_each, kr_report* reports, const F& answer) {
  if (reports != nullptr) {
    for (int64_t b = 0; b < batch; ++b) reports[b] = failed(KR_STATUS_CANCELLED);
  }
  std::atomic<bool> is_cut = false;  // in the middle of a matrix, which the loop itself does not see
  auto body = [&](int64_t b) {
    const kr_report report = answer(b);
    if (report.status == KR_STATUS_CANCELLED) is_cut = true;
    if (reports != nullptr) reports[b] = report;
  };
  const kr_code code = for_each(call, batch, flops_each, body);
  return code == KR_OK && is_cut ? fail(call, KR_CANCELLED, "cancelled by the caller") : code;
}

}  // namespace kronroot::cpu
