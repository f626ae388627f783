#include "handles.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include "backends.hpp"
#include "plugin.hpp"

namespace kronroot::addon {
namespace {

constexpr int64_t most_bytes = int64_t{1} << 53;

[[noreturn]] void refuse(const char* name, const char* type) {
  throw Failure(Failure::argument, std::string(name) + " must be a " + type);
}

// The number of a tensor; 0, which none has, for anything else.
int64_t tensor_number(napi_env env, napi_value value) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= 1 && number < 0x1p53)) return 0;
  const auto whole = static_cast<int64_t>(number);
  return static_cast<double>(whole) == number ? whole : 0;
}

void finalize_device(napi_env, void* data, void*) { std::unique_ptr<DeviceHandle>(static_cast<DeviceHandle*>(data)); }

void finalize_tensor(napi_env env, void* data, void*) {
  const std::unique_ptr<TensorHandle> tensor(static_cast<TensorHandle*>(data));
  napi_delete_reference(env, tensor->reference);
}

void require_own_object(napi_status status, const char* type) {
  if (status == napi_ok) return;
  throw Failure(Failure::argument, std::string("a ") + type + " must be built on an object of its own");
}

int64_t element_bytes(kr_dtype dtype) { return dtype == KR_F32 ? sizeof(float) : sizeof(double); }

// Four arguments from `first` on.
struct Extents {
  Extents(const Arguments& arguments, size_t first)
      : dtype(static_cast<kr_dtype>(arguments.integer(first, "dtype", KR_F32, KR_F64))),
        batch(arguments.integer(first + 1, "batch", 0, most_bytes)),
        rows(arguments.integer(first + 2, "rows", 0, most_bytes)),
        cols(arguments.integer(first + 3, "cols", 0, most_bytes)) {
    // With extents of 0 counted as 1, so that no product of some of the extents overflows either.
    int64_t extent = 0;
    if (__builtin_mul_overflow(std::max<int64_t>(batch, 1), std::max<int64_t>(rows, 1), &extent) ||
        __builtin_mul_overflow(extent, std::max<int64_t>(cols, 1), &extent) || extent > most_bytes / 8) {
      throw Failure(Failure::shape, "shape: the tensor would be larger than 2^53 bytes");
    }
  }
  int64_t bytes() const { return batch * rows * cols * element_bytes(dtype); }

  kr_dtype dtype;
  int64_t batch, rows, cols;
};

// The number of a new tensor, whose object is argument 0.
napi_value make_tensor(const Arguments& arguments, std::shared_ptr<Storage> storage, const Extents& extents) {
  const napi_env env = arguments.env();
  auto tensor = std::make_unique<TensorHandle>(arguments.environment().shared_from_this(), std::move(storage),
                                               extents.dtype, extents.batch, extents.rows, extents.cols);
  require_own_object(napi_add_finalizer(env, arguments[0], tensor.get(), finalize_tensor, nullptr, &tensor->reference),
                     "Tensor");
  return make_number(env, static_cast<double>(tensor.release()->number()));
}

// A typed array of the tensor's dtype and size.
View matching_view(const Arguments& arguments, size_t index, const char* name, const TensorHandle& tensor) {
  const View view = view_of(arguments.env(), arguments[index], name);
  const bool f32 = tensor.dtype() == KR_F32;
  if (view.type != (f32 ? napi_float32_array : napi_float64_array)) {
    throw Failure(Failure::dtype, std::string(name) + " must be a " + (f32 ? "Float32Array" : "Float64Array") +
                                      ", the tensor is " + (f32 ? "f32" : "f64"));
  }
  if (view.length != static_cast<uint64_t>(tensor.elements())) {
    throw Failure(Failure::buffer, std::string(name) + " has " + std::to_string(view.length) +
                                       " elements, the tensor has " + std::to_string(tensor.elements()));
  }
  return view;
}

}  // namespace

TensorHandle::TensorHandle(std::shared_ptr<Environment> environment, std::shared_ptr<Storage> storage, kr_dtype dtype,
                           int64_t batch, int64_t rows, int64_t cols)
    : environment_(std::move(environment)),
      storage_(std::move(storage)),
      dtype_(dtype),
      batch_(batch),
      rows_(rows),
      cols_(cols) {
  number_ = environment_->add(*this);
}

TensorHandle::~TensorHandle() {
  drop();
  environment_->remove(*this);
}

void TensorHandle::drop() {
  if (!storage_) return;
  if (!storage_->is_borrowed()) environment_->released(storage_->bytes());
  storage_.reset();
}

kr_batch TensorHandle::matrices() const {
  return {storage_->data(), dtype_, 0, batch_, rows_, cols_, cols_, rows_ * cols_};
}

kr_batch TensorHandle::columns() const { return {storage_->data(), dtype_, 0, batch_ * rows_, cols_, 1, 1, cols_}; }

DeviceHandle::DeviceHandle(std::shared_ptr<Environment> environment, std::shared_ptr<Device> device)
    : device(std::move(device)), environment_(std::move(environment)) {
  environment_->add(*this);
}

DeviceHandle::~DeviceHandle() { environment_->remove(*this); }

DeviceHandle& device_of(const Arguments& arguments, napi_value value, const char* name) {
  void* found = nullptr;
  DeviceHandle* handle = nullptr;
  if (napi_unwrap(arguments.env(), value, &found) == napi_ok) handle = arguments.environment().device_at(found);
  if (handle == nullptr) refuse(name, "Device");
  if (!handle->device) throw Failure(Failure::disposed, std::string(name) + " was disposed");
  return *handle;
}

TensorHandle& tensor_of(const Arguments& arguments, napi_value value, const char* name) {
  const int64_t number = tensor_number(arguments.env(), value);
  TensorHandle* handle = arguments.environment().tensor(number);
  if (handle != nullptr && handle->storage()) return *handle;
  if (!arguments.environment().has_numbered(number)) refuse(name, "Tensor");
  throw Failure(Failure::disposed, std::string(name) + " was disposed");
}

napi_value open_device(const Arguments& arguments) {
  const napi_env env = arguments.env();
  const std::string backend = arguments.text(1, "backend");
  const std::string isa = arguments.is_nullish(4) ? std::string() : arguments.text(4, "isa");
  kr_device_options options{};
  options.ordinal = static_cast<int32_t>(arguments.integer(2, "ordinal", 0, INT32_MAX));
  options.threads = static_cast<int32_t>(arguments.integer(3, "threads", 0, INT32_MAX));
  options.isa = isa.empty() ? nullptr : isa.c_str();
  options.stream = arguments.is_nullish(5) ? nullptr : arguments.pointer(5, "stream");
  const kr_backend& table = arguments.is_nullish(6) ? backend_named(backend) : plugin_at(arguments.text(6, "plugin"));
  auto handle = std::make_unique<DeviceHandle>(arguments.environment().shared_from_this(),
                                               std::make_shared<Device>(table, options));
  const kr_device_info info = handle->device->info();
  require_own_object(napi_wrap(env, arguments[0], handle.get(), finalize_device, nullptr, nullptr), "Device");
  handle.release();

  napi_value result = nullptr;
  require(env, napi_create_object(env, &result), "object");
  set(env, result, "name", make_text(env, info.name));
  set(env, result, "isa", make_text(env, info.isa));
  set(env, result, "threads", make_number(env, info.threads));
  set(env, result, "stream", make_pointer(env, info.stream));
  return result;
}

napi_value device_memory(const Arguments& arguments) {
  const napi_env env = arguments.env();
  const Device& device = *device_of(arguments, arguments[0], "device").device;
  napi_value result = nullptr;
  require(env, napi_create_object(env, &result), "object");
  set(env, result, "bytes", make_number(env, static_cast<double>(device.bytes())));
  set(env, result, "tensors", make_number(env, static_cast<double>(device.tensors())));
  if (!device.has_own_memory()) return result;
  const kr_device_info info = device.info();
  set(env, result, "free", make_number(env, static_cast<double>(info.bytes_free)));
  set(env, result, "total", make_number(env, static_cast<double>(info.bytes_total)));
  return result;
}

napi_value dispose_device(const Arguments& arguments) {
  DeviceHandle& handle = device_of(arguments, arguments[0], "device");
  arguments.environment().drop_memory_of(*handle.device);
  handle.device.reset();
  return nullptr;
}

napi_value create_tensor(const Arguments& arguments) {
  const std::shared_ptr<Device>& device = device_of(arguments, arguments[1], "device").device;
  const Extents extents(arguments, 2);
  const bool zeroed = arguments.integer(6, "zeroed", 0, 1) != 0;
  auto storage = arguments.environment().allocate(device, extents.bytes());
  if (zeroed) {
    const double zero = 0;
    storage->fill(0, storage->bytes(), &zero, sizeof zero);
  }
  return make_tensor(arguments, std::move(storage), extents);
}

napi_value wrap_tensor(const Arguments& arguments) {
  const std::shared_ptr<Device>& device = device_of(arguments, arguments[1], "device").device;
  const Extents extents(arguments, 2);
  void* pointer = arguments.pointer(6, "pointer");
  if (pointer == nullptr) throw Failure(Failure::argument, "wrap: pointer must not be null");
  if (reinterpret_cast<uintptr_t>(pointer) % static_cast<uintptr_t>(element_bytes(extents.dtype)) != 0) {
    throw Failure(Failure::argument, "wrap: pointer must be a multiple of the " +
                                         std::to_string(element_bytes(extents.dtype)) + " bytes of an element");
  }
  return make_tensor(arguments, std::make_shared<Storage>(device, pointer, extents.bytes()), extents);
}

napi_value tensor_pointer(const Arguments& arguments) {
  return make_pointer(arguments.env(), tensor_of(arguments, arguments[0], "tensor").storage()->data());
}

napi_value write_tensor(const Arguments& arguments) {
  const TensorHandle& tensor = tensor_of(arguments, arguments[0], "tensor");
  const View view = matching_view(arguments, 1, "data", tensor);
  Storage& storage = *tensor.storage();
  if (storage.readers + storage.writers > 0) {
    throw Failure(Failure::alias, "tensor is in use by an asynchronous call; await it before writing");
  }
  storage.upload(0, view.data, storage.bytes());
  return nullptr;
}

napi_value read_tensor(const Arguments& arguments) {
  const TensorHandle& tensor = tensor_of(arguments, arguments[0], "tensor");
  const View view = matching_view(arguments, 1, "into", tensor);
  const Storage& storage = *tensor.storage();
  if (storage.writers > 0) {
    throw Failure(Failure::alias, "tensor is being written by an asynchronous call; await it before reading");
  }
  storage.download(view.data);
  return nullptr;
}

napi_value dispose_tensor(const Arguments& arguments) {
  const int64_t number = tensor_number(arguments.env(), arguments[0]);
  TensorHandle* tensor = arguments.environment().tensor(number);
  if (tensor != nullptr) {
    napi_value object = nullptr;
    const napi_status status = napi_get_reference_value(arguments.env(), tensor->reference, &object);
    if (status == napi_ok && object != nullptr) {
      // With its reference, so that no finalizer is left: those of a loop that does not return to the event loop would
      // pile up.
      finalize_tensor(arguments.env(), tensor, nullptr);
    } else {
      tensor->drop();  // its object was collected: the finalizer is on its way
    }
  } else if (!arguments.environment().has_numbered(number)) {
    refuse("tensor", "Tensor");
  }
  return nullptr;
}

}  // namespace kronroot::addon
