// One step of an elementwise rule, element by element, rounded when a number is stored.
#include <algorithm>
#include <cmath>
#include <new>

#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

template <typename T>
class Element {
 public:
  Element(const kr_update_array& array, int64_t index) : array_(array), index_(index) {}

  // The gradient with its L2 term.
  double gradient() { return seen(read(array_.gradient) + (array_.w == nullptr ? 0 : array_.l2 * read(array_.w))); }
  double m() const { return array_.m == nullptr ? 0 : read(array_.m); }
  double v() const { return read(array_.v); }
  double v_max() const { return read(array_.v_max); }
  double w() const { return read(array_.w); }
  void write(void* to, double value) {
    if (to != nullptr) static_cast<T*>(to)[index_] = static_cast<T>(seen(value));
  }
  bool is_finite() const { return is_finite_; }

 private:
  double read(const void* from) const { return static_cast<double>(static_cast<const T*>(from)[index_]); }
  double seen(double value) {
    is_finite_ = is_finite_ && std::isfinite(static_cast<T>(value));
    return value;
  }

  const kr_update_array& array_;
  int64_t index_;
  bool is_finite_ = true;
};

// D where it is asked to lie.
double bounded(const kr_update_array& a, double d) {
  return a.lower < a.upper && !std::isnan(d) ? std::clamp(d, a.lower, a.upper) : d;
}

double sign(double x) { return x == 0 || std::isnan(x) ? x : std::copysign(1.0, x); }

// NaN where one of them is.
double larger(double a, double b) { return std::isnan(a) || a > b ? a : b; }

// Updates m and v as the kind says; the direction.
template <typename T>
double direction_of(int32_t kind, const kr_update_array& a, double g, Element<T>& element) {
  const double old = element.m(), m = a.m == nullptr ? 0 : a.m_decay * old + a.m_weight * g;
  if (kind == KR_UPDATE_COMBINE) return a.from_gradient * g + a.from_m * old;
  if (kind == KR_UPDATE_PRODUCT) return bounded(a, a.from_gradient * g * old);
  element.write(a.m, m);
  if (kind == KR_UPDATE_SIGN) return sign(a.from_gradient * g + a.from_m * old);
  if (kind == KR_UPDATE_MOMENTUM) return a.from_gradient * g + a.from_m * m;
  if (kind == KR_UPDATE_GATE) return element.v() / (1 + std::exp(-std::abs(g - old)));
  const double numerator = a.from_gradient * g + a.from_m * m;
  if (kind == KR_UPDATE_QUOTIENT) {
    return bounded(a, numerator / larger(a.v_scale * std::abs(element.v()), a.epsilon));
  }
  if (kind == KR_UPDATE_MAX) {
    const double v = larger(a.v_decay * element.v(), a.v_weight * std::abs(g));
    element.write(a.v, v);
    return numerator / (a.v_scale * v + a.epsilon);
  }
  double v = a.v_decay * element.v() + a.v_weight * g * g;
  element.write(a.v, v);
  if (a.v_max != nullptr) {
    v = larger(element.v_max(), v);
    element.write(a.v_max, v);
  }
  return numerator / (std::sqrt(a.v_scale * v + a.epsilon_inside) + a.epsilon);
}

template <typename T>
bool update(int32_t kind, const kr_update_array& array) {
  bool is_finite = true;
  for (int64_t i = 0; i < array.count; ++i) {
    Element<T> element(array, i);
    const double d = direction_of(kind, array, element.gradient(), element);
    const double w = array.w == nullptr ? 0 : element.w() - array.lr * d - array.shrinkage * element.w();
    element.write(array.direction, d);
    element.write(array.w, w);
    is_finite = is_finite && element.is_finite();
  }
  return is_finite;
}

}  // namespace

kr_code elementwise_update(const kr_call* call, const kr_elementwise_update_options* given,
                           const kr_update_array* arrays, int64_t count, int32_t* finite) try {
  if (const kr_code code = check_elementwise_update(call, given, arrays, count); code != KR_OK) return code;
  if (call->cancel != nullptr && *call->cancel != 0) return fail(call, KR_CANCELLED, "cancelled by the caller");
  const kr_elementwise_update_options options = given != nullptr ? *given : kr_elementwise_update_options{};
  for (int64_t i = 0; i < count; ++i) {
    const bool is_finite =
        options.dtype == KR_F32 ? update<float>(options.kind, arrays[i]) : update<double>(options.kind, arrays[i]);
    if (finite != nullptr) finite[i] = is_finite ? 1 : 0;
  }
  return KR_OK;
} catch (const std::bad_alloc&) {
  return fail(call, KR_OUT_OF_MEMORY, "no memory to check the arrays");
}

}  // namespace kronroot::reference
