#include "environment.hpp"

#include <algorithm>

#include "dispatcher.hpp"
#include "handles.hpp"
#include "job.hpp"
#include "napi.hpp"
#include "unread_reports.hpp"

namespace kronroot::addon {
namespace {

using Hold = std::shared_ptr<Environment>;

void let_go(napi_env, void* hold, void*) { std::unique_ptr<Hold>(static_cast<Hold*>(hold)); }

constexpr int64_t sweep_every_bytes = int64_t{32} << 20;

}  // namespace

Environment& Environment::attach(napi_env env) {
  auto hold = std::make_unique<Hold>(std::make_shared<Environment>(env));
  Environment& environment = **hold;
  require(env, napi_set_instance_data(env, hold.get(), let_go, nullptr), "instance data");
  hold.release();
  environment.make_record();
  // Cleanup hooks run last in, first out. The channel adds one of its own when it is created, so ours, added after it,
  // drains the jobs while the channel still stands.
  environment.open_channel();
  require(env,
          napi_add_env_cleanup_hook(
              env, [](void* data) { static_cast<Environment*>(data)->close(); }, &environment),
          "cleanup hook");
  return environment;
}

void Environment::make_record() {
  void* data = nullptr;
  napi_value buffer = nullptr;
  require(env_, napi_create_arraybuffer(env_, sizeof(kr_report), &data, &buffer), "record");
  require(env_, napi_create_reference(env_, buffer, 1, &record_), "record");
}

napi_value Environment::record(kr_report** report) const {
  void* data = nullptr;
  size_t bytes = 0;
  napi_value buffer = nullptr;
  require(env_, napi_get_reference_value(env_, record_, &buffer), "record");
  require(env_, napi_get_arraybuffer_info(env_, buffer, &data, &bytes), "record");
  *report = bytes == sizeof(kr_report) ? static_cast<kr_report*>(data) : nullptr;
  return buffer;
}

void Environment::open_channel() {
  napi_value name = make_text(env_, "kronroot");
  auto hold = std::make_unique<Hold>(shared_from_this());
  const auto settle = [](napi_env env, napi_value, void* context, void*) {
    if (env) static_cast<Environment*>(context)->settle_finished();
  };
  require(
      env_,
      napi_create_threadsafe_function(env_, nullptr, nullptr, name, 0, 1, hold.get(), let_go, this, settle, &channel_),
      "thread-safe function");
  hold.release();
  // Only jobs in flight keep the event loop alive.
  require(env_, napi_unref_threadsafe_function(env_, channel_), "unref");
}

DeviceHandle* Environment::device_at(void* address) const {
  const auto found = devices_.find(static_cast<DeviceHandle*>(address));
  return found == devices_.end() ? nullptr : *found;
}

int64_t Environment::add(TensorHandle& tensor) {
  tensors_.emplace(last_tensor_ + 1, &tensor);
  return ++last_tensor_;
}

void Environment::remove(const TensorHandle& tensor) { tensors_.erase(tensor.number()); }

TensorHandle* Environment::tensor(int64_t number) const {
  const auto found = tensors_.find(number);
  return found == tensors_.end() ? nullptr : found->second;
}

template <typename Make>
auto Environment::swept(int64_t bytes, Make make) {
  allocated_since_sweep_ += bytes;
  if (allocated_since_sweep_ >= sweep_every_bytes) sweep();
  try {
    return make();
  } catch (const Failure& failure) {
    if (failure.code() != Failure::out_of_memory) throw;
  }
  sweep();
  return make();
}

std::shared_ptr<Storage> Environment::allocate(const std::shared_ptr<Device>& device, int64_t bytes) {
  auto storage = swept(bytes, [&] { return std::make_shared<Storage>(device, bytes); });
  int64_t total = 0;
  napi_adjust_external_memory(env_, bytes, &total);
  return storage;
}

void Environment::released(int64_t bytes) {
  int64_t total = 0;
  napi_adjust_external_memory(env_, -bytes, &total);
}

std::unique_ptr<Memory> Environment::allocate_reports(const std::shared_ptr<Device>& device, int64_t bytes,
                                                      const char* op) {
  constexpr int64_t granule = 512;  // what a GPU takes for the smallest piece
  return swept(std::max(bytes, granule), [&] { return std::make_unique<Memory>(device, bytes, op); });
}

UnreadReports* Environment::reports_at(void* address) const {
  const auto found = reports_.find(static_cast<UnreadReports*>(address));
  return found == reports_.end() ? nullptr : *found;
}

void Environment::sweep() {
  allocated_since_sweep_ = 0;
  napi_handle_scope scope = nullptr;
  require(env_, napi_open_handle_scope(env_, &scope), "handle scope");
  for (const auto& [number, tensor] : tensors_) {
    napi_value object = nullptr;
    if (napi_get_reference_value(env_, tensor->reference, &object) == napi_ok && !object) tensor->drop();
  }
  for (UnreadReports* reports : reports_) {
    napi_value object = nullptr;
    if (napi_get_reference_value(env_, reports->reference, &object) == napi_ok && !object) reports->drop();
  }
  napi_close_handle_scope(env_, scope);
}

void Environment::drop_memory_of(const Device& device) {
  for (const auto& [number, tensor] : tensors_) {
    if (tensor->storage() && tensor->storage()->device().get() == &device) tensor->drop();
  }
  for (UnreadReports* reports : reports_) {
    if (reports->memory() && reports->memory()->device().get() == &device) reports->drop();
  }
}

uint32_t Environment::submit(std::shared_ptr<Job> job) {
  const uint32_t number = ++last_number_;
  job->number = number;
  if (jobs_.empty()) require(env_, napi_ref_threadsafe_function(env_, channel_), "ref");
  jobs_.emplace(number, job);
  {
    const std::lock_guard lock(mutex_);
    ++active_;
  }
  try {
    Dispatcher::instance().push(job);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    --active_;
    jobs_.erase(number);
    if (jobs_.empty()) napi_unref_threadsafe_function(env_, channel_);
    throw;
  }
  job->begin();
  return number;
}

void Environment::cancel(uint32_t number) {
  const auto found = jobs_.find(number);
  if (found != jobs_.end()) found->second->cancel();
}

void Environment::finished(std::shared_ptr<Job> job) {
  const std::lock_guard lock(mutex_);
  if (!closing_) {
    finished_.push_back(std::move(job));
    napi_call_threadsafe_function(channel_, nullptr, napi_tsfn_nonblocking);
  }
  --active_;
  drained_.notify_all();
}

void Environment::settle_finished() {
  for (;;) {
    std::shared_ptr<Job> job;
    {
      const std::lock_guard lock(mutex_);
      if (finished_.empty()) return;
      job = std::move(finished_.front());
      finished_.pop_front();
    }
    jobs_.erase(job->number);
    if (jobs_.empty()) napi_unref_threadsafe_function(env_, channel_);
    job->settle(env_);
  }
}

void Environment::close() {
  for (const auto& [number, job] : jobs_) job->cancel();
  std::unique_lock lock(mutex_);
  closing_ = true;
  active_ -= Dispatcher::instance().withdraw(*this);
  drained_.wait(lock, [&] { return active_ == 0; });
  finished_.clear();
  jobs_.clear();
  napi_release_threadsafe_function(channel_, napi_tsfn_release);
}

}  // namespace kronroot::addon
