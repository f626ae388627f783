#include "batch.hpp"

#include <cinttypes>
#include <exception>
#include <new>

#include "../core/check.hpp"
#include "../core/report.hpp"

namespace kronroot::reference {
namespace {

bool is_cancelled(const kr_call* call) {
  return call != nullptr && call->cancel != nullptr && __atomic_load_n(call->cancel, __ATOMIC_RELAXED) != 0;
}

bool fits(const Answer& answer, std::initializer_list<const kr_batch*> outputs) {
  auto output = outputs.begin();
  for (const Dense& value : answer.outputs) {
    if (!is_finite(rounded(value, (*output++)->dtype))) return false;
  }
  return true;
}

void write(const Answer& answer, std::initializer_list<const kr_batch*> outputs, int64_t index) {
  auto output = outputs.begin();
  for (const Dense& value : answer.outputs) store(value, **output++, index);
}

}  // namespace

kr_code run_batch(const kr_call* call, std::initializer_list<const kr_batch*> outputs, kr_report* reports,
                  Overflow overflow, const std::function<Answer(int64_t)>& compute) {
  const int64_t batch = (*outputs.begin())->batch;
  try {
    std::vector<Answer> answers;
    while (static_cast<int64_t>(answers.size()) < batch && !is_cancelled(call)) {
      Answer answer = compute(static_cast<int64_t>(answers.size()));
      if (overflow == Overflow::reported && !is_failure(answer.report) && !fits(answer, outputs)) {
        answer = {failed(KR_STATUS_OVERFLOW), {}};
      }
      answers.push_back(std::move(answer));
    }
    const auto finished = static_cast<int64_t>(answers.size());
    for (int64_t index = 0; index < batch; ++index) {
      const bool computed = index < finished;
      if (computed) write(answers[index], outputs, index);
      if (reports != nullptr) reports[index] = computed ? answers[index].report : failed(KR_STATUS_CANCELLED);
    }
    if (finished == batch) return KR_OK;
    return fail(call, KR_CANCELLED, "cancelled after %" PRId64 " of %" PRId64 " matrices", finished, batch);
  } catch (const std::bad_alloc&) {
    return fail(call, KR_OUT_OF_MEMORY, "the reference backend could not allocate its f64 copies of the batch");
  } catch (const std::exception& error) {
    return fail(call, KR_INTERNAL, "reference backend: %s", error.what());
  }
}

}  // namespace kronroot::reference
