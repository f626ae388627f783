// How an op runs over its batch: threads, cancellation, lack of memory and the reports, in one place.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "../core/check.hpp"
#include "../core/report.hpp"
#include "../include/kronroot/backend.h"
#include "lanes.hpp"
#include "pool.hpp"

namespace kronroot::cpu {

// Runs body(0) .. body(count - 1) on at most call->device->threads threads, fewer where there is little to do:
// flops_each estimates the cost of one index. Returns KR_OK, or KR_CANCELLED or KR_OUT_OF_MEMORY with its message.
kr_code for_each(const kr_call* call, int64_t count, double flops_each, Body body);

// The same for a body that takes several indices at a time: body(first, last) runs those of [first, last).
kr_code for_each_run(const kr_call* call, int64_t count, double flops_each, RunBody body);

// The same for an op with reports: body(b) answers matrix b and returns its kr_report. Matrices that the loop did not
// reach are KR_STATUS_CANCELLED. reports may be null.
template <typename F>
kr_code report_each(const kr_call* call, int64_t batch, double flops_each, kr_report* reports, const F& answer) {
  if (reports != nullptr) std::fill_n(reports, batch, failed(KR_STATUS_CANCELLED));
  std::atomic<bool> is_cut = false;  // in the middle of a matrix, which the loop itself does not see
  auto body = [&](int64_t b) {
    const kr_report report = answer(b);
    if (report.status == KR_STATUS_CANCELLED) is_cut = true;
    if (reports != nullptr) reports[b] = report;
  };
  const kr_code code = for_each(call, batch, flops_each, body);
  return code == KR_OK && is_cut ? fail(call, KR_CANCELLED, "cancelled by the caller") : code;
}

// The same for matrices that are computed `lanes` at a time: body(first, count, reports) answers the `count` <= lanes
// matrices from number `first` on and writes their reports, reports[0] for the first. Groups begin at multiples of
// `lanes`, so results do not depend on the number of threads.
template <typename F>
kr_code report_groups(const kr_call* call, int64_t batch, int lanes, double flops_each, kr_report* reports,
                      const F& answer) {
  if (reports != nullptr) std::fill_n(reports, batch, failed(KR_STATUS_CANCELLED));
  std::atomic<bool> is_cut = false;
  auto body = [&](int64_t group) {
    const int64_t first = group * lanes;
    const int count = static_cast<int>(std::min<int64_t>(lanes, batch - first));
    kr_report unread[kMostLanes];
    kr_report* const of_group = reports != nullptr ? reports + first : unread;
    answer(first, count, of_group);
    for (int l = 0; l < count; ++l) {
      if (of_group[l].status == KR_STATUS_CANCELLED) is_cut = true;
    }
  };
  const kr_code code = for_each(call, (batch + lanes - 1) / lanes, flops_each * lanes, body);
  return code == KR_OK && is_cut ? fail(call, KR_CANCELLED, "cancelled by the caller") : code;
}

}  // namespace kronroot::cpu
