// triangular_solve with one right-hand side and a matrix alone: what the kernel takes and answers.
#pragma once

#include <cstdint>

namespace kronroot::cpu {

// E x = b by substitution, E = T or T^T.
template <typename T>
struct Substitution {
  int64_t n;
  const T* t;
  int64_t stride;
  bool upper;       // the triangle of T that counts
  bool transposed;  // E = T^T
  bool unit;        // ones on the diagonal, which is not read
  const T* b;       // n numbers
  T* x;             // n numbers, not those of b

  double condition;  // max |t_ii| / min |t_ii|
  double residual;   // |E x - b|_2 / (|T|_F |x|_2 + |b|_2); 0 for two zeros
};

}  // namespace kronroot::cpu
