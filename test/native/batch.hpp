// Batches and calls as C++ tests write them down.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "native/include/kronroot/backend.h"

namespace kronroot::test {

template <typename T>
inline constexpr int32_t dtype_of = sizeof(T) == 4 ? KR_F32 : KR_F64;
template <typename T>
inline constexpr T nan_of = std::numeric_limits<T>::quiet_NaN();
template <typename T>
inline constexpr T infinity_of = std::numeric_limits<T>::infinity();

// Owns the memory of a batch; rows may be padded to a stride, and the padding is filled with `filler`.
template <typename T>
class Batch {
 public:
  Batch(int64_t batch, int64_t rows, int64_t cols, T filler = 0, int64_t padding = 0)
      : data_(static_cast<size_t>(batch * rows * (cols + padding)), filler),
        descriptor_{data_.data(), dtype_of<T>, 0, batch, rows, cols, cols + padding, rows * (cols + padding)} {}
  // One matrix, row by row.
  Batch(std::initializer_list<std::initializer_list<T>> rows)
      : Batch(1, static_cast<int64_t>(rows.size()), rows.size() == 0 ? 0 : static_cast<int64_t>(rows.begin()->size())) {
    T* to = data_.data();
    for (const auto& row : rows) {
      for (T each : row) *to++ = each;
    }
  }
  static Batch diagonal(std::initializer_list<T> values) {
    const auto n = static_cast<int64_t>(values.size());
    Batch x(1, n, n);
    int64_t i = 0;
    for (T each : values) x(i, i) = each, ++i;
    return x;
  }
  static Batch identity(int64_t n) {
    Batch x(1, n, n);
    for (int64_t i = 0; i < n; ++i) x(i, i) = 1;
    return x;
  }
  Batch(const Batch& other) : data_(other.data_), descriptor_(other.descriptor_) { descriptor_.data = data_.data(); }
  Batch& operator=(const Batch&) = delete;

  T& operator()(int64_t b, int64_t i, int64_t j) {
    return data_[static_cast<size_t>(b * descriptor_.batch_stride + i * descriptor_.row_stride + j)];
  }
  T& operator()(int64_t i, int64_t j) { return (*this)(0, i, j); }
  int64_t rows() const { return descriptor_.rows; }
  int64_t cols() const { return descriptor_.cols; }
  const std::vector<T>& data() const { return data_; }
  kr_batch& descriptor() { return descriptor_; }
  const kr_batch* operator&() const {
    return &descriptor_;
  }  // NOLINT(google-runtime-operator): reads as the C ABI does

 private:
  std::vector<T> data_;
  kr_batch descriptor_;
};

// A kr_call with room for a message.
class Call {
 public:
  explicit Call(const int32_t* cancel = nullptr) : call_{nullptr, cancel, text_, sizeof text_} {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  const kr_call* get() const { return &call_; }
  kr_call& fields() { return call_; }
  std::string message() const { return text_; }

 private:
  char text_[512] = "";
  kr_call call_;
};

}  // namespace kronroot::test
