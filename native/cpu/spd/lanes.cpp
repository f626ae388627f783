#include "lanes.hpp"

#include "../../core/planner.hpp"
#include "../../core/random.hpp"
#include "../../core/report.hpp"
#include "../device.hpp"

namespace kronroot::cpu {

bool takes_spd_lanes(const kr_call* call, LaneOp op, const kr_cholesky_options& options, const kr_batch& a) {
  if (a.rows == 0 || (options.ridge == KR_RIDGE_RELATIVE && options.ridge_value >= kLargeRelativeRidge)) return false;
  return plan_lanes(*call->device->crossovers, op, a.dtype, a.rows, a.batch);
}

void fill_probe_signs(int64_t n, double* signs) {
  for (int64_t i = 0; i < n; ++i) signs[i] = random_sign(probe_stream, static_cast<uint64_t>(i));
}

kr_report report_of(const SpdLanesAnswer& answer, int l) {
  if (answer.status[l] >= KR_FIRST_FAILURE) return failed(answer.status[l], answer.pivot[l]);
  kr_report report = answered(KR_METHOD_CHOLESKY);
  report.residual = answer.residual[l];
  report.condition = answer.condition[l];
  return report;
}

}  // namespace kronroot::cpu
