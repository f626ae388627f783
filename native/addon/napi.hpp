// The few conveniences over the C API of Node-API (NAPI_VERSION 8) that this addon needs.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <exception>
#include <new>
#include <string>

#include "failure.hpp"

namespace kronroot::addon {

// Thrown where Node-API says that a JavaScript exception is pending; the boundary then returns without another.
struct PendingException {};

void require(napi_env env, napi_status status, const char* what);

class Environment;

// The arguments of one call from JavaScript. Absent ones are undefined.
class Arguments {
 public:
  static constexpr size_t most = 20;
  Arguments(napi_env env, napi_callback_info info);

  napi_env env() const { return env_; }
  Environment& environment() const { return *environment_; }
  napi_value operator[](size_t index) const { return values_[index]; }

  double number(size_t index, const char* name) const;
  // A number that is an integer in [low, high].
  int64_t integer(size_t index, const char* name, int64_t low, int64_t high) const;
  std::string text(size_t index, const char* name) const;
  // A BigInt from 0 to 2^64 - 1.
  void* pointer(size_t index, const char* name) const;
  bool is_nullish(size_t index) const;

 private:
  napi_env env_;
  Environment* environment_ = nullptr;
  napi_value values_[most];
};

// A typed array handed in from JavaScript, valid until control returns there.
struct View {
  void* data = nullptr;
  size_t length = 0;  // elements
  napi_typedarray_type type = napi_float32_array;
};

// ERR_BUFFER when it is no typed array, or when its buffer was transferred away.
View view_of(napi_env env, napi_value value, const char* name);

napi_value make_number(napi_env env, double value);
napi_value make_text(napi_env env, const char* text);
// A BigInt.
napi_value make_pointer(napi_env env, const void* pointer);
void set(napi_env env, napi_value object, const char* name, napi_value value);

// An Error object that carries `code`.
napi_value make_error(napi_env env, const char* code, const char* message);

// Makes a Node-API callback of a function that may throw Failure. Nothing else may leave it.
using Function = napi_value (*)(const Arguments&);

template <Function function>
napi_value boundary(napi_env env, napi_callback_info info) noexcept {
  try {
    return function(Arguments(env, info));
  } catch (const PendingException&) {
  } catch (const Failure& failure) {
    napi_throw_error(env, failure.code(), failure.what());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, Failure::out_of_memory, "the host ran out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, Failure::internal, error.what());
  }
  return nullptr;
}

}  // namespace kronroot::addon
