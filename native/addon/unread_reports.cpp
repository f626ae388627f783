#include "unread_reports.hpp"

namespace kronroot::addon {
namespace {

void finalize(napi_env env, void* data, void*) {
  const std::unique_ptr<UnreadReports> reports(static_cast<UnreadReports*>(data));
  napi_delete_reference(env, reports->reference);
}

}  // namespace

UnreadReports::UnreadReports(std::shared_ptr<Environment> environment, std::unique_ptr<Memory> memory)
    : environment_(std::move(environment)), memory_(std::move(memory)) {
  environment_->add(*this);
}

UnreadReports::~UnreadReports() { environment_->remove(*this); }

napi_value make_unread(const Arguments& arguments, std::unique_ptr<Memory> memory) {
  const napi_env env = arguments.env();
  const auto count = static_cast<double>(memory->bytes() / static_cast<int64_t>(sizeof(kr_report)));
  napi_value object = nullptr;
  require(env, napi_create_object(env, &object), "reports");
  set(env, object, "count", make_number(env, count));
  auto reports = std::make_unique<UnreadReports>(arguments.environment().shared_from_this(), std::move(memory));
  require(env, napi_wrap(env, object, reports.get(), finalize, nullptr, &reports->reference), "reports");
  reports.release();
  return object;
}

napi_value read_reports(const Arguments& arguments) {
  const napi_env env = arguments.env();
  void* found = nullptr;
  UnreadReports* reports = nullptr;
  if (napi_unwrap(env, arguments[0], &found) == napi_ok) reports = arguments.environment().reports_at(found);
  if (reports == nullptr) throw Failure(Failure::argument, "reports must be those that a call gave, not read before");
  const Memory* memory = reports->memory();
  if (memory == nullptr) throw Failure(Failure::disposed, "report: the device was disposed before it was read");
  void* to = nullptr;
  napi_value buffer = nullptr;
  require(env, napi_create_arraybuffer(env, static_cast<size_t>(memory->bytes()), &to, &buffer), "reports");
  memory->download(to);
  // With its wrap, so that no finalizer is left: those of a loop that does not return to the event loop would pile up.
  require(env, napi_remove_wrap(env, arguments[0], &found), "reports");
  finalize(env, reports, nullptr);
  return buffer;
}

}  // namespace kronroot::addon
