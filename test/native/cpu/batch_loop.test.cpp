// The batch loops: every matrix answered once, and a caller that cancels from another thread.
#include "native/cpu/batch_loop.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "native/cpu/device.hpp"
#include "test/native/batch.hpp"
#include "test/native/expect.hpp"

namespace {

using namespace kronroot;
using namespace kronroot::cpu;
using kronroot::test::Call;

constexpr double kMuch = 1e9;  // flop of a matrix, so that all threads are worth it

struct FourThreads {
  KernelSet none{Isa::baseline, "none", {}, {}};
  kr_device device{&none, 4};
  Call call;
  explicit FourThreads(const int32_t* cancel = nullptr) : call(cancel) { call.fields().device = &device; }
};

TEST("report_each and report_groups: every matrix is answered once, by whichever thread") {
  FourThreads loop;
  for (int64_t batch : {0, 1, 7, 1000}) {
    std::vector<kr_report> reports(static_cast<size_t>(batch));
    std::vector<int> plain(static_cast<size_t>(batch));
    EXPECT(report_each(loop.call.get(), batch, kMuch, reports.data(), [&](int64_t index) {
             ++plain[static_cast<size_t>(index)];
             return answered(KR_METHOD_DIRECT);
           }) == KR_OK);
    EXPECT(report_groups(loop.call.get(), batch, 16, kMuch, reports.data(),
                         [&](int64_t first, int count, kr_report* of_group) {
                           for (int l = 0; l < count; ++l) {
                             ++plain[static_cast<size_t>(first + l)];
                             of_group[l] = answered(KR_METHOD_DIRECT);
                           }
                         }) == KR_OK);
    for (int64_t b = 0; b < batch; ++b) {
      EXPECT(plain[static_cast<size_t>(b)] == 2 && reports[static_cast<size_t>(b)].status == KR_STATUS_OK);
    }
  }
}

TEST("report_each: a flag raised by another thread stops the loop, and what it left says so") {
  constexpr int64_t kBatch = 100000;
  int32_t flag = 0;
  FourThreads loop(&flag);
  std::atomic<bool> has_begun = false;
  std::thread canceller([&] {
    while (!has_begun) std::this_thread::yield();
    __atomic_store_n(&flag, 1, __ATOMIC_RELAXED);
  });
  std::vector<kr_report> reports(kBatch);
  std::atomic<int64_t> answers = 0;
  const kr_code code = report_each(loop.call.get(), kBatch, kMuch, reports.data(), [&](int64_t) {
    has_begun = true;
    if (++answers > 100) std::this_thread::sleep_for(std::chrono::microseconds(100));
    return answered(KR_METHOD_DIRECT);
  });
  canceller.join();
  EXPECT(code == KR_CANCELLED && answers < kBatch);
  int64_t cancelled = 0;
  for (const kr_report& report : reports) cancelled += report.status == KR_STATUS_CANCELLED;
  EXPECT(cancelled == kBatch - answers);
}

}  // namespace
