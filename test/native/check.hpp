// Expectations that say which case they belong to.
#pragma once

#include <string>

#include "test/native/expect.hpp"

namespace kronroot::test {

template <typename T>
inline constexpr const char* type_name = sizeof(T) == 4 ? "f32" : "f64";

inline void check(bool holds, const std::string& where, const char* what, double value = 0) {
  if (holds) return;
  report_failure("", 0, where + ": " + what + " (" + std::to_string(value) + ")");
}

}  // namespace kronroot::test
