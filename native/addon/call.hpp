// One call of an op, its arguments checked and held: run on the JavaScript thread or on a dispatcher thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "operations.hpp"
#include "storage.hpp"

namespace kronroot::addon {

class Call {
 public:
  // Arguments: number of the op, its operands (null where absent), what failed matrices of the outputs get (0: they
  // keep their content, 1: NaN), then the options. Throws Failure before any work.
  explicit Call(const Arguments& arguments);

  // Marks the operands as in use by a call in flight, and takes the marks back.
  void begin();
  void end();

  // Any thread; cancel may be null. `reports` is memory of the device where that has its own: then the call has only
  // enqueued when it returns. Throws Failure.
  void run(const int32_t* cancel, kr_report* reports) const;

  const char* name() const { return operation_->name; }
  Device& device() const { return *device_; }
  int64_t report_bytes() const { return static_cast<int64_t>(report_count() * sizeof(kr_report)); }
  size_t report_count() const { return operation_->has_reports ? static_cast<size_t>(batch_) : 0; }
  // A JavaScript ArrayBuffer of report_count() records, or undefined for ops that have none.
  napi_value make_reports(napi_env env, kr_report** reports) const;

 private:
  void fill_failed(const kr_report* reports) const;
  void enqueue_fill_failed(const kr_report* reports) const;
  size_t operand_count() const { return operation_->operands.size(); }

  const Operation* operation_;
  Device* device_ = nullptr;  // kept open by the storages
  std::array<std::shared_ptr<Storage>, most_operands> storages_;
  std::array<kr_batch, most_operands> descriptors_{};
  int64_t batch_ = 0;
  bool failed_get_nan_ = false;
  Options options_;
};

// Functions of the addon's exports; the arguments are those of Call.
// The ArrayBuffer of reports (of one: Environment::record), or undefined; on a device with memory of its own the object
// that read_reports takes.
napi_value call_operation(const Arguments&);
napi_value submit_operation(const Arguments&);  // [number, promise of the ArrayBuffer or undefined]
napi_value cancel_operation(const Arguments&);  // the number that submit gave

}  // namespace kronroot::addon
