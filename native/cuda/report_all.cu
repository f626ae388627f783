#include "report_all.hpp"

#include "device.cuh"
#include "launch.hpp"

namespace kronroot::cuda {
namespace {

__global__ void write_reports(Global<kr_report> reports, int64_t batch, kr_report report) {
  const int64_t b = block_index() * block_threads() + thread_index();
  if (b < batch) reports[b] = report;
}

}  // namespace

void report_all(Op& op, kr_report* reports, int64_t batch, const kr_report& report) {
  if (reports == nullptr) return;
  constexpr int threads = 128;
  launch<write_reports>(op, {.blocks = {(batch + threads - 1) / threads}, .threads = threads},
                        Global<kr_report>(reports), batch, report);
}

}  // namespace kronroot::cuda
