// What eigh does around a decomposition above order 32: the input read and scaled, the outputs scaled back, signed,
// judged and written.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

// Of every matrix.
struct Screened {
  int32_t* status = nullptr;  // of the input; what follows adds to it
  int32_t* exponent = nullptr;
  double* size = nullptr;   // |A|_F of the scaled matrix
  double* image = nullptr;  // A z of the scaled matrix for the probe z, n numbers
};

// matrix <- (A + A^T) / 2 scaled by a power of two to about 1, where it is finite and symmetric.
template <typename T>
void screen(Op& op, const BatchView<const T>& a, const BatchView<T>& matrix, const Screened& screened);

// What is known of every matrix after its decomposition.
template <typename T>
struct Decomposed {
  BatchView<T> values;    // of the scaled matrix, ascending
  BatchView<T> vectors;   // data nullptr: values only
  const int32_t* status;  // of the decomposition
  const int32_t* method;  // kr_method, or nullptr for KR_METHOD_QL
  const int32_t* iterations;
};

// The outputs and the reports, which may be nullptr.
template <typename T>
void write_answers(Op& op, const Screened& screened, const Decomposed<T>& found, const BatchView<T>& values,
                   const BatchView<T>& vectors, kr_report* reports);

}  // namespace kronroot::cuda
