// Size arithmetic in 64 bits that remembers an overflow instead of wrapping around.
#pragma once

#include <cstdint>

namespace kronroot {

// A non-negative size, or "too large". Sums and products of an overflowed size are overflowed too, so a whole
// expression is written plainly and asked once:
//   const Checked bytes = (Checked(batch) - 1) * batch_stride + ...;
//   if (!bytes.valid()) ...
class Checked {
 public:
  constexpr Checked(int64_t value)  // NOLINT(google-explicit-constructor): mixes with plain integers
      : Checked(value, value >= 0) {}

  constexpr bool valid() const { return valid_; }
  // The size; 0 when it is not valid().
  constexpr int64_t value() const { return valid_ ? value_ : 0; }

  friend constexpr Checked operator+(Checked x, Checked y) {
    int64_t sum = 0;
    const bool overflow = __builtin_add_overflow(x.value_, y.value_, &sum);
    return {sum, x.valid_ && y.valid_ && !overflow};
  }
  // Not valid() where y > x.
  friend constexpr Checked operator-(Checked x, Checked y) {
    return {x.value_ - y.value_, x.valid_ && y.valid_ && x.value_ >= y.value_};
  }
  friend constexpr Checked operator*(Checked x, Checked y) {
    int64_t product = 0;
    const bool overflow = __builtin_mul_overflow(x.value_, y.value_, &product);
    return {product, x.valid_ && y.valid_ && !overflow};
  }

 private:
  constexpr Checked(int64_t value, bool valid) : value_(valid ? value : 0), valid_(valid) {}
  int64_t value_;
  bool valid_;
};

}  // namespace kronroot
