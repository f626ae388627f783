// Newton-Schulz iterations that drive the singular values of a wide matrix towards 1.
#pragma once

#include <cstdint>
#include <span>

#include "../../core/orthogonalize_tables.hpp"
#include "../kernels.hpp"

namespace kronroot::cpu {

// X <- (a I + b G + c G^2) X with G = X X^T, once for every quintic. X is m x n with stride n, m <= n. False when
// *cancel (may be null) was set between two steps; X then holds garbage.
// Source: Kovarik, SIAM J. Numer. Anal. 7 (1970); Bjorck and Bowie, SIAM J. Numer. Anal. 8 (1971).
template <typename T>
bool newton_schulz(const Kernels<T>& kernels, std::span<const Quintic> steps, int64_t m, int64_t n, T* x,
                   const int32_t* cancel);

// The same polynomial through the m x m Gram matrix R = X X^T, which a step W = a I + b R + c R^2 turns into W R W:
// X is multiplied once by the product Q of all W, and once more after step 2, where R is formed anew from X, because
// rounding that makes eigenvalues of R negative grows by up to a^2 a step.
// Source: Dao-AILab, Gram-Newton-Schulz (2026).
template <typename T>
bool gram_newton_schulz(const Kernels<T>& kernels, std::span<const Quintic> steps, int64_t m, int64_t n, T* x,
                        const int32_t* cancel);

extern template bool newton_schulz<float>(const Kernels<float>&, std::span<const Quintic>, int64_t, int64_t, float*,
                                          const int32_t*);
extern template bool newton_schulz<double>(const Kernels<double>&, std::span<const Quintic>, int64_t, int64_t, double*,
                                           const int32_t*);
extern template bool gram_newton_schulz<float>(const Kernels<float>&, std::span<const Quintic>, int64_t, int64_t,
                                               float*, const int32_t*);
extern template bool gram_newton_schulz<double>(const Kernels<double>&, std::span<const Quintic>, int64_t, int64_t,
                                                double*, const int32_t*);

}  // namespace kronroot::cpu
