// Random numbers for tests.
#pragma once

#include <cstring>
#include <random>
#include <vector>

#include "test/native/batch.hpp"

namespace kronroot::test {

class Uniform {
 public:
  explicit Uniform(uint64_t seed) : engine_(seed) {}
  double next() { return static_cast<double>(engine_() >> 11) * 0x1p-52 - 1; }  // in [-1, 1)

  template <typename T>
  void fill(Batch<T>& batch) {
    const kr_batch& shape = batch.descriptor();
    for (int64_t b = 0; b < shape.batch; ++b) {
      for (int64_t i = 0; i < shape.rows; ++i) {
        for (int64_t j = 0; j < shape.cols; ++j) batch(b, i, j) = static_cast<T>(next());
      }
    }
  }

 private:
  std::mt19937_64 engine_;
};

template <typename T>
bool same_bits(const std::vector<T>& x, const std::vector<T>& y) {
  return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0);
}

}  // namespace kronroot::test
