#include "call.hpp"

#include <limits>
#include <string>
#include <vector>

#include "environment.hpp"
#include "handles.hpp"
#include "operation_job.hpp"
#include "unread_reports.hpp"

namespace kronroot::addon {
namespace {

const Operation& operation_at(const Arguments& arguments) {
  const auto all = operations();
  return all[static_cast<size_t>(arguments.integer(0, "operation", 0, static_cast<int64_t>(all.size()) - 1))];
}

std::string full_name(const Operation& operation, const Operand& operand) {
  return std::string(operation.name) + ": " + operand.name;
}

// Another call in flight may read what we read; nothing else is safe.
void check_not_in_use(const Operation& operation, const Operand& operand, const Storage& storage) {
  if (storage.writers > 0 || (operand.is_output() && storage.readers > 0)) {
    throw Failure(Failure::alias, full_name(operation, operand) + " is in use by an asynchronous call; await it first");
  }
}

}  // namespace

Call::Call(const Arguments& arguments) : operation_(&operation_at(arguments)) {
  const size_t count = operand_count();
  bool batch_known = false;
  for (size_t i = 0; i < count; ++i) {
    const Operand& operand = operation_->operands[i];
    const napi_value value = arguments[i + 1];
    if (operand.is_optional() && arguments.is_nullish(i + 1)) continue;
    const TensorHandle* tensor = nullptr;
    try {
      tensor = &tensor_of(arguments, value, operand.name);
    } catch (const Failure& failure) {
      throw Failure(failure.code(), std::string(operation_->name) + ": " + failure.what());
    }
    const std::shared_ptr<Storage>& storage = tensor->storage();
    if (device_ && storage->device().get() != device_) {
      throw Failure(Failure::argument, full_name(*operation_, operand) + " is on another device");
    }
    device_ = storage->device().get();
    check_not_in_use(*operation_, operand, *storage);
    storages_[i] = storage;
    descriptors_[i] = operand.layout == Operand::Layout::columns ? tensor->columns() : tensor->matrices();
    if (operand.is_output() && !batch_known) {
      batch_ = descriptors_[i].batch;
      batch_known = true;
    }
  }
  for (size_t i = 0; i < count; ++i) {
    kr_batch& descriptor = descriptors_[i];
    if (!storages_[i] || operation_->operands[i].is_output() || descriptor.batch != 1) continue;
    descriptor.batch = batch_;
    if (batch_ != 1) descriptor.batch_stride = 0;
  }
  failed_get_nan_ = arguments.integer(count + 1, "failed", 0, 1) != 0;
  options_ = operation_->decode(arguments, count + 2);
}

void Call::begin() {
  for (size_t i = 0; i < operand_count(); ++i) {
    if (storages_[i]) ++(operation_->operands[i].is_output() ? storages_[i]->writers : storages_[i]->readers);
  }
}

void Call::end() {
  for (size_t i = 0; i < operand_count(); ++i) {
    if (storages_[i]) --(operation_->operands[i].is_output() ? storages_[i]->writers : storages_[i]->readers);
  }
}

void Call::run(const int32_t* cancel, kr_report* reports) const {
  // Ops poll the flag between matrices, which may be after the first; a call cancelled in the queue does nothing.
  if (cancel && __atomic_load_n(cancel, __ATOMIC_RELAXED)) {
    throw Failure::of(KR_CANCELLED, std::string(name()) + ": cancelled");
  }
  Descriptors descriptors{};
  for (size_t i = 0; i < operand_count(); ++i) descriptors[i] = storages_[i] ? &descriptors_[i] : nullptr;
  demand(*device_, name(), cancel, [&](const kr_call* call) {
    return operation_->invoke(device_->backend(), call, options_, descriptors, reports);
  });
  if (!failed_get_nan_ || report_count() == 0) return;
  if (device_->has_own_memory()) {
    enqueue_fill_failed(reports);
  } else {
    fill_failed(reports);
  }
}

void Call::enqueue_fill_failed(const kr_report* reports) const {
  for (size_t i = 0; i < operand_count(); ++i) {
    if (!storages_[i] || !operation_->operands[i].gets_nan()) continue;
    demand(*device_, name(), nullptr,
           [&](const kr_call* call) { return device_->backend().fill_failed(call, reports, &descriptors_[i]); });
  }
}

void Call::fill_failed(const kr_report* reports) const {
  const float nan32 = std::numeric_limits<float>::quiet_NaN();
  const double nan64 = std::numeric_limits<double>::quiet_NaN();
  for (int64_t index = 0; index < batch_; ++index) {
    if (reports[index].status < KR_FIRST_FAILURE) continue;
    for (size_t i = 0; i < operand_count(); ++i) {
      if (!storages_[i] || !operation_->operands[i].gets_nan()) continue;
      const kr_batch& output = descriptors_[i];
      const bool f32 = output.dtype == KR_F32;
      const int64_t element = f32 ? sizeof nan32 : sizeof nan64;
      const int64_t bytes = output.rows * output.cols * element;
      storages_[i]->fill(index * bytes, bytes, f32 ? static_cast<const void*>(&nan32) : &nan64, element);
    }
  }
}

napi_value Call::make_reports(napi_env env, kr_report** reports) const {
  napi_value value = nullptr;
  void* data = nullptr;
  if (operation_->has_reports) {
    require(env, napi_create_arraybuffer(env, report_count() * sizeof(kr_report), &data, &value), "reports");
  } else {
    require(env, napi_get_undefined(env, &value), "undefined");
  }
  *reports = static_cast<kr_report*>(data);
  return value;
}

napi_value call_operation(const Arguments& arguments) {
  const Call call(arguments);
  kr_report* reports = nullptr;
  napi_value buffer = nullptr;
  if (call.report_count() > 0 && call.device().has_own_memory()) {
    auto memory =
        arguments.environment().allocate_reports(call.device().shared_from_this(), call.report_bytes(), call.name());
    call.run(nullptr, static_cast<kr_report*>(memory->data()));
    return make_unread(arguments, std::move(memory));
  }
  if (call.report_count() == 1) buffer = arguments.environment().record(&reports);
  if (reports != nullptr) {
    *reports = kr_report{};
  } else {
    buffer = call.make_reports(arguments.env(), &reports);  // new buffers are zero
  }
  call.run(nullptr, reports);
  return buffer;
}

napi_value submit_operation(const Arguments& arguments) {
  const napi_env env = arguments.env();
  Environment& environment = arguments.environment();
  napi_value result = nullptr;
  require(env, napi_create_array_with_length(env, 2, &result), "array");
  const auto job = std::make_shared<OperationJob>(env, environment.shared_from_this(), Call(arguments));
  require(env, napi_set_element(env, result, 1, job->promise()), "promise");
  const uint32_t number = environment.submit(job);
  require(env, napi_set_element(env, result, 0, make_number(env, number)), "number");
  return result;
}

napi_value cancel_operation(const Arguments& arguments) {
  arguments.environment().cancel(static_cast<uint32_t>(arguments.integer(0, "number", 0, UINT32_MAX)));
  return nullptr;
}

}  // namespace kronroot::addon
