// One number for each array: x . y, or max |x_i|.
#include <cmath>
#include <new>

#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

template <typename T>
double reduced(int32_t kind, const kr_reduce_array& array) {
  const T* x = static_cast<const T*>(array.x);
  const T* y = static_cast<const T*>(array.y == nullptr ? array.x : array.y);
  double result = 0;
  for (int64_t i = 0; i < array.count; ++i) {
    if (kind == KR_REDUCE_DOT) {
      result += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    } else if (const double size = std::abs(static_cast<double>(x[i])); !std::isnan(result) && !(size <= result)) {
      result = size;
    }
  }
  return result;
}

}  // namespace

kr_code reduce(const kr_call* call, const kr_reduce_options* given, const kr_reduce_array* arrays, int64_t count,
               double* results) try {
  if (const kr_code code = check_reduce(call, given, arrays, count, results); code != KR_OK) return code;
  if (call->cancel != nullptr && *call->cancel != 0) return fail(call, KR_CANCELLED, "cancelled by the caller");
  const kr_reduce_options options = given != nullptr ? *given : kr_reduce_options{};
  for (int64_t i = 0; i < count; ++i) {
    results[i] =
        options.dtype == KR_F32 ? reduced<float>(options.kind, arrays[i]) : reduced<double>(options.kind, arrays[i]);
  }
  return KR_OK;
} catch (const std::bad_alloc&) {
  return fail(call, KR_OUT_OF_MEMORY, "no memory to check the arrays");
}

}  // namespace kronroot::reference
