#include "batch_loop.hpp"

#include <algorithm>

#include "../core/check.hpp"
#include "device.hpp"

namespace kronroot::cpu {
namespace {

// To wake a worker costs some ten microseconds; another thread is worth it from about as much work on.
constexpr double kFlopsPerThread = 2e6;
// Small matrices are taken several at a time: the counter that hands them out is contended.
constexpr double kFlopsPerTurn = 2e5;
// ... but every thread takes several turns, so that uneven matrices even out.
constexpr int64_t kTurnsPerThread = 4;

}  // namespace

kr_code for_each_run(const kr_call* call, int64_t count, double flops_each, RunBody body) {
  const double flops = std::max(flops_each, 1.0);
  const double worthwhile = static_cast<double>(count) * flops / kFlopsPerThread;
  const int threads = static_cast<int>(std::clamp(worthwhile, 1.0, static_cast<double>(call->device->threads)));
  const int64_t even_share = std::max<int64_t>(1, count / (kTurnsPerThread * threads));
  const int64_t in_a_turn = std::clamp(static_cast<int64_t>(kFlopsPerTurn / flops), int64_t{1}, even_share);
  auto turn = [&](int64_t index) { body(index * in_a_turn, std::min(count, (index + 1) * in_a_turn)); };
  switch (parallel_for((count + in_a_turn - 1) / in_a_turn, threads, call->cancel, turn)) {
    case Loop::cancelled:
      return fail(call, KR_CANCELLED, "cancelled by the caller");
    case Loop::out_of_memory:
      return fail(call, KR_OUT_OF_MEMORY, "no memory for the workspace of one matrix");
    case Loop::done:
      break;
  }
  return KR_OK;
}

kr_code for_each(const kr_call* call, int64_t count, double flops_each, Body body) {
  auto run = [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) body(i);
  };
  return for_each_run(call, count, flops_each, run);
}

}  // namespace kronroot::cpu
