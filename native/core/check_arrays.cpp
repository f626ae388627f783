// Checks of the ops over lists of arrays.
#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "check.hpp"

namespace kronroot {
namespace {

// The memory of one array.
struct Range {
  uintptr_t begin, end;
  bool is_written;
  int64_t array;  // number of the list's entry
  const char* name;
};

std::string name_of(int64_t array, const char* field) { return "arrays[" + std::to_string(array) + "]." + field; }

class ArrayCheck {
 public:
  ArrayCheck(const kr_call* call, int32_t dtype) : call_(call), element_bytes_(dtype == KR_F32 ? 4 : 8) {
    if (dtype != KR_F32 && dtype != KR_F64) {
      code_ = fail(call, KR_BAD_DTYPE, "dtype: expected f32 (%d) or f64 (%d), got %d", KR_F32, KR_F64, dtype);
    }
  }

  bool failed() const { return code_ != KR_OK; }
  kr_code code() const { return code_; }

  void kind(int32_t given, int32_t last, const char* allowed) {
    if (failed() || (given >= 0 && given <= last)) return;
    code_ = fail(call_, KR_BAD_OPTION, "kind: expected %s, got %d", allowed, given);
  }

  void list(const void* arrays, int64_t count) {
    if (failed() || (count >= 0 && (count == 0 || arrays != nullptr))) return;
    code_ = fail(call_, KR_BAD_SHAPE, "arrays: expected a list of %" PRId64 " arrays, got %s", count,
                 count < 0 ? "a negative number" : "NULL");
  }

  // `array` counts the entries of the list, `count` the elements.
  void size(int64_t array, int64_t count) {
    if (failed() || (count >= 0 && count <= INT64_MAX / 8)) return;
    code_ = fail(call_, KR_BAD_SHAPE, "%s: expected a number of elements >= 0 that fits in memory, got %" PRId64,
                 name_of(array, "count").c_str(), count);
  }

  void present(int64_t array, const char* name, const void* data, int64_t count) {
    if (failed() || count == 0 || data != nullptr) return;
    code_ =
        fail(call_, KR_BAD_SHAPE, "%s: expected %" PRId64 " elements, got NULL", name_of(array, name).c_str(), count);
  }

  void absent(int64_t array, const char* name, const void* data, const char* why) {
    if (failed() || data == nullptr) return;
    code_ = fail(call_, KR_BAD_SHAPE, "%s: expected NULL, %s", name_of(array, name).c_str(), why);
  }

  void aligned(int64_t array, const char* name, const void* data) {
    if (failed() || reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(element_bytes_) == 0) return;
    code_ = fail(call_, KR_BAD_SHAPE, "%s: expected data aligned to its elements of %d bytes, got address %p",
                 name_of(array, name).c_str(), element_bytes_, data);
  }

  void number(int64_t array, const char* name, double given) {
    if (failed() || std::isfinite(element_bytes_ == 4 ? static_cast<float>(given) : given)) return;
    code_ = fail(call_, KR_BAD_OPTION, "%s: expected a number that is finite in the dtype, got %g",
                 name_of(array, name).c_str(), given);
  }

  void use(int64_t array, const char* name, const void* data, int64_t count, bool is_written) {
    aligned(array, name, data);
    if (data == nullptr || count == 0) return;
    const auto begin = reinterpret_cast<uintptr_t>(data);
    ranges_.push_back({begin, begin + static_cast<uintptr_t>(count * element_bytes_), is_written, array, name});
  }

  // No range that is written meets another one. In the order of their beginnings it is enough to know how far all
  // earlier ranges reach, and how far the written ones do.
  void apart() {
    if (failed()) return;
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& x, const Range& y) { return x.begin < y.begin; });
    const Range *farthest = nullptr, *farthest_written = nullptr;
    for (const Range& range : ranges_) {
      const Range* before = range.is_written ? farthest : farthest_written;
      if (before != nullptr && before->end > range.begin) {
        const Range& written = range.is_written ? range : *before;
        const Range& other = range.is_written ? *before : range;
        code_ = fail(call_, KR_BAD_ALIAS, "%s: expected memory apart from %s, got ranges that overlap",
                     name_of(written.array, written.name).c_str(), name_of(other.array, other.name).c_str());
        return;
      }
      if (farthest == nullptr || range.end > farthest->end) farthest = &range;
      if (range.is_written && (farthest_written == nullptr || range.end > farthest_written->end)) {
        farthest_written = &range;
      }
    }
  }

 private:
  const kr_call* call_;
  int element_bytes_;
  kr_code code_ = KR_OK;
  std::vector<Range> ranges_;
};

void check_numbers(ArrayCheck& check, int64_t index, const kr_update_array& array) {
  check.number(index, "l2", array.l2);
  check.number(index, "m_decay", array.m_decay);
  check.number(index, "m_weight", array.m_weight);
  check.number(index, "v_decay", array.v_decay);
  check.number(index, "v_weight", array.v_weight);
  check.number(index, "from_gradient", array.from_gradient);
  check.number(index, "from_m", array.from_m);
  check.number(index, "v_scale", array.v_scale);
  check.number(index, "epsilon_inside", array.epsilon_inside);
  check.number(index, "epsilon", array.epsilon);
  check.number(index, "lr", array.lr);
  check.number(index, "shrinkage", array.shrinkage);
  check.number(index, "lower", array.lower);
  check.number(index, "upper", array.upper);
}

// What a kind of elementwise_update does with the moments.
struct Moments {
  bool needs_m = false, writes_m = false, has_v = false, writes_v = false, has_v_max = false;
};

Moments moments_of(int32_t kind) {
  switch (kind) {
    case KR_UPDATE_MOMENTUM:
      return {.needs_m = true, .writes_m = true};
    case KR_UPDATE_SIGN:
      return {.writes_m = true};
    case KR_UPDATE_ADAM:
      return {.writes_m = true, .has_v = true, .writes_v = true, .has_v_max = true};
    case KR_UPDATE_MAX:
      return {.writes_m = true, .has_v = true, .writes_v = true};
    case KR_UPDATE_QUOTIENT:
      return {.writes_m = true, .has_v = true};
    case KR_UPDATE_PRODUCT:
      return {.needs_m = true};
    case KR_UPDATE_GATE:
      return {.needs_m = true, .writes_m = true, .has_v = true};
    default:
      return {};
  }
}

}  // namespace

kr_code check_elementwise_update(const kr_call* call, const kr_elementwise_update_options* given,
                                 const kr_update_array* arrays, int64_t count) {
  const kr_elementwise_update_options options = given == nullptr ? kr_elementwise_update_options{} : *given;
  ArrayCheck check(call, options.dtype);
  check.kind(options.kind, KR_UPDATE_GATE,
             "COMBINE (0), MOMENTUM (1), SIGN (2), ADAM (3), MAX (4), QUOTIENT (5), PRODUCT (6) or GATE (7)");
  check.list(arrays, count);
  const Moments moments = moments_of(options.kind);
  for (int64_t i = 0; i < count && !check.failed(); ++i) {
    const kr_update_array& array = arrays[i];
    check.size(i, array.count);
    check.present(i, "gradient", array.gradient, array.count);
    if (moments.needs_m) check.present(i, "m", array.m, array.count);
    if (moments.has_v) check.present(i, "v", array.v, array.count);
    if (!moments.has_v) check.absent(i, "v", array.v, "which is for ADAM, MAX, QUOTIENT and GATE");
    if (!moments.has_v_max) check.absent(i, "v_max", array.v_max, "which is for ADAM");
    check_numbers(check, i, array);
    if (check.failed()) break;
    // An operand that is only read may be the very array that is written in its place.
    const auto is_replaced = [&](const void* read) { return read == array.direction || read == array.w; };
    if (!is_replaced(array.gradient)) check.use(i, "gradient", array.gradient, array.count, false);
    if (moments.writes_m || !is_replaced(array.m)) check.use(i, "m", array.m, array.count, moments.writes_m);
    if (moments.writes_v || !is_replaced(array.v)) check.use(i, "v", array.v, array.count, moments.writes_v);
    check.use(i, "v_max", array.v_max, array.count, true);
    check.use(i, "direction", array.direction, array.count, true);
    check.use(i, "w", array.w, array.count, true);
  }
  check.apart();
  return check.code();
}

kr_code check_reduce(const kr_call* call, const kr_reduce_options* given, const kr_reduce_array* arrays, int64_t count,
                     const double* results) {
  const kr_reduce_options options = given == nullptr ? kr_reduce_options{} : *given;
  ArrayCheck check(call, options.dtype);
  check.kind(options.kind, KR_REDUCE_LARGEST, "DOT (0) or LARGEST (1)");
  check.list(arrays, count);
  if (!check.failed() && count > 0 && results == nullptr) {
    return fail(call, KR_BAD_SHAPE, "results: expected room for %" PRId64 " numbers, got NULL", count);
  }
  for (int64_t i = 0; i < count && !check.failed(); ++i) {
    const kr_reduce_array& array = arrays[i];
    check.size(i, array.count);
    check.present(i, "x", array.x, array.count);
    check.aligned(i, "x", array.x);
    check.aligned(i, "y", array.y);
    if (options.kind == KR_REDUCE_LARGEST) check.absent(i, "y", array.y, "LARGEST looks at x alone");
  }
  return check.code();
}

}  // namespace kronroot
