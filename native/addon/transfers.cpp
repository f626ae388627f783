#include "transfers.hpp"

#include "environment.hpp"
#include "handles.hpp"
#include "job.hpp"

namespace kronroot::addon {
namespace {

// The elements of a tensor, into an ArrayBuffer that JavaScript first sees when the promise is resolved.
class Download final : public Job {
 public:
  Download(napi_env env, std::shared_ptr<Environment> environment, std::shared_ptr<Storage> storage)
      : Job(env, std::move(environment)), storage_(std::move(storage)) {
    napi_value buffer = nullptr;
    require(env, napi_create_arraybuffer(env, static_cast<size_t>(storage_->bytes()), &to_, &buffer), "data");
    require(env, napi_create_reference(env, buffer, 1, &buffer_), "data");
  }
  void begin() override { ++storage_->readers; }

 private:
  void work(const int32_t*) override { storage_->download(to_); }
  napi_value value(napi_env env) override {
    napi_value buffer = nullptr;
    require(env, napi_get_reference_value(env, buffer_, &buffer), "data");
    return buffer;
  }
  void end(napi_env env) override {
    --storage_->readers;
    napi_delete_reference(env, buffer_);
  }

  std::shared_ptr<Storage> storage_;
  napi_ref buffer_ = nullptr;
  void* to_ = nullptr;
};

class Synchronization final : public Job {
 public:
  Synchronization(napi_env env, std::shared_ptr<Environment> environment, std::shared_ptr<Device> device)
      : Job(env, std::move(environment)), device_(std::move(device)) {}

 private:
  void work(const int32_t*) override { device_->synchronize(); }
  napi_value value(napi_env env) override {
    napi_value undefined = nullptr;
    require(env, napi_get_undefined(env, &undefined), "undefined");
    return undefined;
  }

  std::shared_ptr<Device> device_;
};

}  // namespace

napi_value download_tensor(const Arguments& arguments) {
  const TensorHandle& tensor = tensor_of(arguments, arguments[0], "tensor");
  if (tensor.storage()->writers > 0) {
    throw Failure(Failure::alias, "tensor is being written by an asynchronous call; await it before reading");
  }
  Environment& environment = arguments.environment();
  const auto job = std::make_shared<Download>(arguments.env(), environment.shared_from_this(), tensor.storage());
  environment.submit(job);
  return job->promise();
}

napi_value synchronize_device(const Arguments& arguments) {
  Environment& environment = arguments.environment();
  const auto job = std::make_shared<Synchronization>(arguments.env(), environment.shared_from_this(),
                                                     device_of(arguments, arguments[0], "device").device);
  environment.submit(job);
  return job->promise();
}

}  // namespace kronroot::addon
