#include "napi.hpp"

#include <cmath>

namespace kronroot::addon {

void require(napi_env env, napi_status status, const char* what) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending || status == napi_pending_exception) throw PendingException{};
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw Failure(Failure::internal,
                std::string(what) + ": " + (info && info->error_message ? info->error_message : "Node-API failed"));
}

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  size_t count = most;  // more than that are not read, fewer are filled up with undefined
  void* data = nullptr;
  require(env, napi_get_cb_info(env, info, &count, values_, nullptr, &data), "arguments");
  environment_ = static_cast<Environment*>(data);
}

double Arguments::number(size_t index, const char* name) const {
  double value = 0;
  if (index >= most || napi_get_value_double(env_, values_[index], &value) != napi_ok) {
    throw Failure(Failure::argument, std::string(name) + " must be a number");
  }
  return value;
}

int64_t Arguments::integer(size_t index, const char* name, int64_t low, int64_t high) const {
  const double value = number(index, name);
  if (!(value >= static_cast<double>(low) && value <= static_cast<double>(high)) || value != std::trunc(value)) {
    throw Failure(Failure::argument, std::string(name) + " must be an integer from " + std::to_string(low) + " to " +
                                         std::to_string(high));
  }
  return static_cast<int64_t>(value);
}

std::string Arguments::text(size_t index, const char* name) const {
  size_t length = 0;
  if (index >= most || napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &length) != napi_ok) {
    throw Failure(Failure::argument, std::string(name) + " must be a string");
  }
  std::string text(length, '\0');
  require(env_, napi_get_value_string_utf8(env_, values_[index], text.data(), length + 1, &length), name);
  return text;
}

void* Arguments::pointer(size_t index, const char* name) const {
  uint64_t value = 0;
  bool lossless = false;
  if (index >= most || napi_get_value_bigint_uint64(env_, values_[index], &value, &lossless) != napi_ok || !lossless) {
    throw Failure(Failure::argument, std::string(name) + " must be a BigInt from 0 to 2^64 - 1");
  }
  return reinterpret_cast<void*>(static_cast<uintptr_t>(value));
}

bool Arguments::is_nullish(size_t index) const {
  napi_valuetype type = napi_undefined;
  require(env_, napi_typeof(env_, values_[index], &type), "typeof");
  return type == napi_undefined || type == napi_null;
}

View view_of(napi_env env, napi_value value, const char* name) {
  View view;
  napi_value buffer = nullptr;
  if (napi_get_typedarray_info(env, value, &view.type, &view.length, &view.data, &buffer, nullptr) != napi_ok) {
    throw Failure(Failure::buffer, std::string(name) + " must be a typed array");
  }
  // False for a SharedArrayBuffer, which cannot be detached.
  bool detached = false;
  if (napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && detached) {
    throw Failure(Failure::buffer, std::string(name) + ": its buffer was transferred away (it is detached)");
  }
  return view;
}

napi_value make_number(napi_env env, double value) {
  napi_value result = nullptr;
  require(env, napi_create_double(env, value, &result), "number");
  return result;
}

napi_value make_text(napi_env env, const char* text) {
  napi_value result = nullptr;
  require(env, napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result), "string");
  return result;
}

napi_value make_pointer(napi_env env, const void* pointer) {
  napi_value result = nullptr;
  require(env, napi_create_bigint_uint64(env, reinterpret_cast<uintptr_t>(pointer), &result), "pointer");
  return result;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  require(env, napi_set_named_property(env, object, name, value), name);
}

napi_value make_error(napi_env env, const char* code, const char* message) {
  napi_value error = nullptr;
  require(env, napi_create_error(env, make_text(env, code), make_text(env, message), &error), "error");
  return error;
}

}  // namespace kronroot::addon
