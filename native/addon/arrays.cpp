#include "arrays.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handles.hpp"
#include "staging.hpp"

namespace kronroot::addon {
namespace {

struct Array {
  void* data = nullptr;
  int64_t count = 0;
  int64_t bytes = 0;
  bool is_typed_array = false;
};

// A JavaScript list of arrays, `fields.size()` for each entry, null where absent.
class List {
 public:
  List(const Arguments& arguments, size_t index, const Device& device, kr_dtype dtype, std::vector<const char*> fields)
      : arguments_(arguments),
        env_(arguments.env()),
        list_(arguments[index]),
        device_(device),
        dtype_(dtype),
        fields_(std::move(fields)) {
    uint32_t length = 0;
    if (napi_get_array_length(env_, list_, &length) != napi_ok || length % fields_.size() != 0) {
      throw Failure(Failure::argument,
                    "arrays must be a list of " + std::to_string(fields_.size()) + " for each entry");
    }
    entries_ = length / static_cast<uint32_t>(fields_.size());
  }

  uint32_t entries() const { return entries_; }

  // Any array but the first of an entry must be as long as that one.
  Array get(uint32_t entry, uint32_t field, bool is_written) const {
    napi_value value = nullptr;
    const auto width = static_cast<uint32_t>(fields_.size());
    require(env_, napi_get_element(env_, list_, entry * width + field, &value), "element");
    napi_valuetype type = napi_undefined;
    require(env_, napi_typeof(env_, value, &type), "typeof");
    if (type == napi_undefined || type == napi_null) return {};
    bool is_typed = false;
    require(env_, napi_is_typedarray(env_, value, &is_typed), "typed array");
    return is_typed ? borrowed(value, name(entry, field)) : of_tensor(value, name(entry, field), is_written);
  }

  Array like(const Array& first, uint32_t entry, uint32_t field, bool is_written) const {
    const Array array = get(entry, field, is_written);
    if (array.data == nullptr || array.count == first.count) return array;
    throw Failure(Failure::shape, name(entry, field) + " has " + std::to_string(array.count) + " elements, " +
                                      name(entry, 0) + " has " + std::to_string(first.count));
  }

 private:
  std::string name(uint32_t entry, uint32_t field) const {
    return "arrays[" + std::to_string(entry) + "]." + fields_[field];
  }

  void check_dtype(bool fits, const std::string& name) const {
    if (fits) return;
    throw Failure(Failure::dtype, name + " must be " + (dtype_ == KR_F32 ? "f32" : "f64") + ", as the first array is");
  }

  Array borrowed(napi_value value, const std::string& name) const {
    const View view = view_of(env_, value, name.c_str());
    check_dtype(view.type == (dtype_ == KR_F32 ? napi_float32_array : napi_float64_array), name);
    const auto count = static_cast<int64_t>(view.length);
    return {view.data, count, count * (dtype_ == KR_F32 ? 4 : 8), true};
  }

  Array of_tensor(napi_value value, const std::string& name, bool is_written) const {
    const TensorHandle& tensor = tensor_of(arguments_, value, name.c_str());
    const Storage& storage = *tensor.storage();
    if (storage.device().get() != &device_) throw Failure(Failure::argument, name + " is on another device");
    check_dtype(tensor.dtype() == dtype_, name);
    if (storage.writers > 0 || (is_written && storage.readers > 0)) {
      throw Failure(Failure::alias, name + " is in use by an asynchronous call; await it first");
    }
    return {storage.data(), tensor.elements(), storage.bytes(), false};
  }

  const Arguments& arguments_;
  napi_env env_;
  napi_value list_;
  const Device& device_;
  kr_dtype dtype_;
  std::vector<const char*> fields_;
  uint32_t entries_ = 0;
};

// A typed array of the call itself: `length` elements of that type.
void* vector_of(const Arguments& arguments, size_t index, const char* name, napi_typedarray_type type, size_t length) {
  const View view = view_of(arguments.env(), arguments[index], name);
  if (view.type == type && view.length == length) return view.data;
  throw Failure(Failure::argument, std::string(name) + " must be a typed array of " + std::to_string(length));
}

// The results of a call: what the backend writes to, and, where the device has memory of its own, the way back.
template <typename T>
class Results {
 public:
  Results(const std::shared_ptr<Device>& device, void* host, size_t count) : host_(static_cast<T*>(host)) {
    if (device->has_own_memory()) memory_.emplace(device, static_cast<int64_t>(count * sizeof(T)), "results");
  }
  T* data() const { return memory_ ? static_cast<T*>(memory_->data()) : host_; }
  void fetch() const {
    if (memory_) memory_->download(host_);
  }

 private:
  T* host_;
  std::optional<Memory> memory_;
};

// Puts the arrays' addresses into the descriptors of a call, those of typed arrays as the device sees them.
class Placement {
 public:
  explicit Placement(const std::shared_ptr<Device>& device) : staging_(device), is_staged_(device->has_own_memory()) {}

  // `address` must stay where it is until upload().
  template <typename Pointer>
  void put(const Array& array, Pointer& address, Staging::Use use) {
    address = array.data;
    if (!is_staged_ || !array.is_typed_array) return;
    staging_.add(array.data, array.bytes, use);
    addresses_.push_back(const_cast<const void**>(&address));
  }
  void upload() {
    staging_.upload();
    for (const void** address : addresses_) *address = staging_.on_device(*address);
  }
  void download() const { staging_.download(); }

 private:
  Staging staging_;
  bool is_staged_;
  std::vector<const void**> addresses_;
};

// The numbers of a kr_update_array in the order of ops.h.
constexpr double kr_update_array::*update_numbers[] = {
    &kr_update_array::l2,      &kr_update_array::m_decay,  &kr_update_array::m_weight,
    &kr_update_array::v_decay, &kr_update_array::v_weight, &kr_update_array::from_gradient,
    &kr_update_array::from_m,  &kr_update_array::v_scale,  &kr_update_array::epsilon_inside,
    &kr_update_array::epsilon, &kr_update_array::lr,       &kr_update_array::shrinkage,
    &kr_update_array::lower,   &kr_update_array::upper,
};

}  // namespace

napi_value update_arrays(const Arguments& arguments) {
  const std::shared_ptr<Device> device = device_of(arguments, arguments[0], "device").device;
  const auto kind = static_cast<int32_t>(arguments.integer(1, "kind", KR_UPDATE_COMBINE, KR_UPDATE_GATE));
  const auto dtype = static_cast<kr_dtype>(arguments.integer(2, "dtype", KR_F32, KR_F64));
  const List list(arguments, 3, *device, dtype, {"gradient", "m", "v", "vMax", "direction", "w"});
  constexpr size_t width = std::size(update_numbers);
  const auto* numbers =
      static_cast<const double*>(vector_of(arguments, 4, "numbers", napi_float64_array, width * list.entries()));
  void* flags = vector_of(arguments, 5, "finite", napi_int32_array, list.entries());
  std::vector<kr_update_array> arrays(list.entries());
  Placement placement(device);
  const bool m_changes = kind != KR_UPDATE_COMBINE && kind != KR_UPDATE_PRODUCT;
  const bool v_changes = kind == KR_UPDATE_ADAM || kind == KR_UPDATE_MAX;
  for (uint32_t i = 0; i < list.entries(); ++i) {
    kr_update_array& array = arrays[i];
    const Array gradient = list.get(i, 0, false);
    array.count = gradient.count;
    placement.put(gradient, array.gradient, {true, false});
    placement.put(list.like(gradient, i, 1, m_changes), array.m, {true, m_changes});
    placement.put(list.like(gradient, i, 2, v_changes), array.v, {true, v_changes});
    placement.put(list.like(gradient, i, 3, true), array.v_max, {true, true});
    placement.put(list.like(gradient, i, 4, true), array.direction, {false, true});
    placement.put(list.like(gradient, i, 5, true), array.w, {true, true});
    for (size_t j = 0; j < width; ++j) array.*update_numbers[j] = numbers[i * width + j];
  }
  placement.upload();
  const Results<int32_t> finite(device, flags, arrays.size());
  const kr_elementwise_update_options options{kind, dtype};
  const auto entry = device->backend().elementwise_update;
  const auto count = static_cast<int64_t>(arrays.size());
  demand(*device, "elementwiseUpdate", nullptr, [&](const kr_call* call) {
    return entry ? entry(call, &options, arrays.data(), count, finite.data()) : KR_NOT_COMPILED;
  });
  finite.fetch();
  placement.download();
  return nullptr;
}

napi_value reduce_arrays(const Arguments& arguments) {
  const std::shared_ptr<Device> device = device_of(arguments, arguments[0], "device").device;
  const auto kind = static_cast<int32_t>(arguments.integer(1, "kind", KR_REDUCE_DOT, KR_REDUCE_LARGEST));
  const auto dtype = static_cast<kr_dtype>(arguments.integer(2, "dtype", KR_F32, KR_F64));
  const List list(arguments, 3, *device, dtype, {"x", "y"});
  void* numbers = vector_of(arguments, 4, "results", napi_float64_array, list.entries());
  std::vector<kr_reduce_array> arrays(list.entries());
  Placement placement(device);
  for (uint32_t i = 0; i < list.entries(); ++i) {
    const Array x = list.get(i, 0, false);
    arrays[i].count = x.count;
    placement.put(x, arrays[i].x, {true, false});
    placement.put(list.like(x, i, 1, false), arrays[i].y, {true, false});
  }
  placement.upload();
  const Results<double> results(device, numbers, arrays.size());
  const kr_reduce_options options{kind, dtype};
  const auto entry = device->backend().reduce;
  const auto count = static_cast<int64_t>(arrays.size());
  demand(*device, "reduce", nullptr, [&](const kr_call* call) {
    return entry ? entry(call, &options, arrays.data(), count, results.data()) : KR_NOT_COMPILED;
  });
  results.fetch();
  return nullptr;
}

}  // namespace kronroot::addon
