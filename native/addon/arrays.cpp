#include "arrays.hpp"

#include <string>
#include <vector>

#include "handles.hpp"

namespace kronroot::addon {
namespace {

struct Array {
  void* data = nullptr;
  int64_t count = 0;
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
    return {view.data, static_cast<int64_t>(view.length)};
  }

  Array of_tensor(napi_value value, const std::string& name, bool is_written) const {
    const TensorHandle& tensor = tensor_of(arguments_, value, name.c_str());
    const Storage& storage = *tensor.storage();
    if (storage.device().get() != &device_) throw Failure(Failure::argument, name + " is on another device");
    check_dtype(tensor.dtype() == dtype_, name);
    if (storage.writers > 0 || (is_written && storage.readers > 0)) {
      throw Failure(Failure::alias, name + " is in use by an asynchronous call; await it first");
    }
    return {storage.data(), tensor.elements()};
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

void raise_unless_ok(const char* op, kr_code code, const char* message) {
  if (code == KR_OK) return;
  const char* text = message[0] ? message : code == KR_NOT_COMPILED ? "this backend does not have it" : "no message";
  throw Failure::of(code, std::string(op) + ": " + text);
}

// The numbers of a kr_update_array in the order of ops.h.
constexpr double kr_update_array::*update_numbers[] = {
    &kr_update_array::l2,      &kr_update_array::m_decay,  &kr_update_array::m_weight,
    &kr_update_array::v_decay, &kr_update_array::v_weight, &kr_update_array::from_gradient,
    &kr_update_array::from_m,  &kr_update_array::v_scale,  &kr_update_array::epsilon_inside,
    &kr_update_array::epsilon, &kr_update_array::lr,       &kr_update_array::shrinkage,
};

}  // namespace

napi_value update_arrays(const Arguments& arguments) {
  const Device& device = *device_of(arguments, arguments[0], "device").device;
  const auto kind = static_cast<int32_t>(arguments.integer(1, "kind", KR_UPDATE_COMBINE, KR_UPDATE_ADAM));
  const auto dtype = static_cast<kr_dtype>(arguments.integer(2, "dtype", KR_F32, KR_F64));
  const List list(arguments, 3, device, dtype, {"gradient", "m", "v", "vMax", "direction", "w"});
  constexpr size_t width = std::size(update_numbers);
  const auto* numbers =
      static_cast<const double*>(vector_of(arguments, 4, "numbers", napi_float64_array, width * list.entries()));
  auto* finite = static_cast<int32_t*>(vector_of(arguments, 5, "finite", napi_int32_array, list.entries()));
  std::vector<kr_update_array> arrays(list.entries());
  for (uint32_t i = 0; i < list.entries(); ++i) {
    kr_update_array& array = arrays[i];
    const Array gradient = list.get(i, 0, false);
    array.count = gradient.count;
    array.gradient = gradient.data;
    array.m = list.like(gradient, i, 1, kind != KR_UPDATE_COMBINE).data;
    array.v = list.like(gradient, i, 2, true).data;
    array.v_max = list.like(gradient, i, 3, true).data;
    array.direction = list.like(gradient, i, 4, true).data;
    array.w = list.like(gradient, i, 5, true).data;
    for (size_t j = 0; j < width; ++j) array.*update_numbers[j] = numbers[i * width + j];
  }
  char message[448] = "";
  const kr_call call{device.handle(), nullptr, message, sizeof message};
  const kr_elementwise_update_options options{kind, dtype};
  const auto entry = device.backend().elementwise_update;
  const auto count = static_cast<int64_t>(arrays.size());
  raise_unless_ok("elementwiseUpdate", entry ? entry(&call, &options, arrays.data(), count, finite) : KR_NOT_COMPILED,
                  message);
  return nullptr;
}

napi_value reduce_arrays(const Arguments& arguments) {
  const Device& device = *device_of(arguments, arguments[0], "device").device;
  const auto kind = static_cast<int32_t>(arguments.integer(1, "kind", KR_REDUCE_DOT, KR_REDUCE_LARGEST));
  const auto dtype = static_cast<kr_dtype>(arguments.integer(2, "dtype", KR_F32, KR_F64));
  const List list(arguments, 3, device, dtype, {"x", "y"});
  auto* results = static_cast<double*>(vector_of(arguments, 4, "results", napi_float64_array, list.entries()));
  std::vector<kr_reduce_array> arrays(list.entries());
  for (uint32_t i = 0; i < list.entries(); ++i) {
    const Array x = list.get(i, 0, false);
    arrays[i] = {x.count, x.data, list.like(x, i, 1, false).data};
  }
  char message[448] = "";
  const kr_call call{device.handle(), nullptr, message, sizeof message};
  const kr_reduce_options options{kind, dtype};
  const auto entry = device.backend().reduce;
  const auto count = static_cast<int64_t>(arrays.size());
  raise_unless_ok("reduce", entry ? entry(&call, &options, arrays.data(), count, results) : KR_NOT_COMPILED, message);
  return nullptr;
}

}  // namespace kronroot::addon
