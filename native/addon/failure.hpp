// The one exception of the addon: becomes a JavaScript Error with a `code` at the boundary.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "../include/kronroot/types.h"

namespace kronroot::addon {

class Failure : public std::exception {
 public:
  // The stable codes that lib/errors.ts documents.
  static constexpr const char* argument = "ERR_ARGUMENT";
  static constexpr const char* shape = "ERR_SHAPE";
  static constexpr const char* dtype = "ERR_DTYPE";
  static constexpr const char* alias = "ERR_ALIAS";
  static constexpr const char* buffer = "ERR_BUFFER";
  static constexpr const char* disposed = "ERR_DISPOSED";
  static constexpr const char* no_device = "ERR_NO_DEVICE";
  static constexpr const char* out_of_memory = "ERR_OUT_OF_MEMORY";
  static constexpr const char* internal = "ERR_INTERNAL";

  Failure(const char* code, std::string message) : code_(code), message_(std::move(message)) {}
  static Failure of(kr_code code, std::string message) { return {name(code), std::move(message)}; }

  // ERR_CANCELLED never reaches users: lib/linalg rejects with signal.reason in its place.
  static const char* name(kr_code code) {
    switch (code) {
      case KR_BAD_SHAPE:
        return shape;
      case KR_BAD_DTYPE:
        return dtype;
      case KR_BAD_OPTION:
        return "ERR_OPTION";
      case KR_BAD_ALIAS:
        return alias;
      case KR_OUT_OF_MEMORY:
        return out_of_memory;
      case KR_CANCELLED:
        return "ERR_CANCELLED";
      case KR_NO_DEVICE:
        return no_device;
      case KR_DEVICE_LOST:
        return "ERR_DEVICE_LOST";
      case KR_NOT_COMPILED:
        return "ERR_NOT_COMPILED";
      case KR_OK:
      case KR_INTERNAL:
        break;
    }
    return internal;
  }

  const char* code() const { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  const char* code_;
  std::string message_;
};

}  // namespace kronroot::addon
