// What both paths of one-sided Jacobi agree on.
#pragma once

namespace kronroot::cpu {

// Sweeps after which a matrix counts as not converged; 6 to 10 are usual.
constexpr int kMostSweeps = 40;

// Rows shorter than this fraction of the scale of A, whose largest element is in [1/2, 1), are rounding: they are not
// turned, and QR makes orthonormal columns of them.
template <typename T>
constexpr T kShortestRow = sizeof(T) == 4 ? T(0x1p-30) : T(0x1p-59);

}  // namespace kronroot::cpu
