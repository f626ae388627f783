// kr_report values with the defaults that types.h documents: NaN for what was not measured, detail -1.
#pragma once

#include <cstdint>
#include <limits>

#include "../include/kronroot/types.h"

namespace kronroot {

inline constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

// A matrix that was answered by `method` on the rung asked for; residual and condition are still to be filled in.
constexpr kr_report answered(kr_method method) {
  return {KR_STATUS_OK, method, 0, KR_RUNG_CHOSEN, -1, 0, not_measured, not_measured};
}

// A matrix whose output was left as the caller had it. `detail` is the index of the failing pivot, where there is one.
constexpr kr_report failed(kr_status status, int32_t detail = -1) {
  return {status, KR_METHOD_AUTO, 0, KR_RUNG_NONE, detail, 0, not_measured, not_measured};
}

// Marks as RANK_DEFICIENT a matrix of which `rank` directions were kept.
constexpr kr_report rank_deficient(kr_report report, int64_t rank) {
  report.status = KR_STATUS_RANK_DEFICIENT;
  report.detail = static_cast<int32_t>(rank);
  return report;
}

constexpr bool is_failure(const kr_report& report) { return report.status >= KR_FIRST_FAILURE; }

}  // namespace kronroot
