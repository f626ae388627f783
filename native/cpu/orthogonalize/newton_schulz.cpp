#include "newton_schulz.hpp"

#include <algorithm>
#include <utility>

#include "../cancel.hpp"
#include "../commuting.hpp"
#include "../gram_of_rows.hpp"

namespace kronroot::cpu {
namespace {

// W = a I + b G + c G^2
template <typename T>
void quintic_factor(const Kernels<T>& kernels, const Quintic& p, int64_t m, const T* g, T* w) {
  const T a = static_cast<T>(p.a), b = static_cast<T>(p.b), c = static_cast<T>(p.c);
  if (c != 0) {
    quadratic(kernels, m, a, b, c, g, w);
    return;
  }
  std::transform(g, g + m * m, w, [b](T each) { return b * each; });
  add_to_diagonal(m, a, w);
}

// Y = W X, W m x m
template <typename T>
void multiply_rows(const Kernels<T>& kernels, int64_t m, int64_t n, const T* w, const T* x, T* y) {
  multiply<T>(kernels, {.m = m, .n = n, .k = m, .a = w, .a_stride = m, .b = x, .b_stride = n, .c = y, .c_stride = n});
}

}  // namespace

template <typename T>
bool newton_schulz(const Kernels<T>& kernels, std::span<const Quintic> steps, int64_t m, int64_t n, T* x,
                   const int32_t* cancel) {
  Scratch scratch;
  T* g = scratch.take<T>(m * m);
  T* w = scratch.take<T>(m * m);
  T* current = x;
  T* next = scratch.take<T>(m * n);
  for (const Quintic& quintic : steps) {
    if (is_cancelled(cancel)) return false;
    gram_of_rows(kernels, m, n, current, g);
    quintic_factor(kernels, quintic, m, g, w);
    multiply_rows(kernels, m, n, w, current, next);
    std::swap(current, next);
  }
  if (current != x) std::copy(current, current + m * n, x);
  return true;
}

template <typename T>
bool gram_newton_schulz(const Kernels<T>& kernels, std::span<const Quintic> steps, int64_t m, int64_t n, T* x,
                        const int32_t* cancel) {
  constexpr size_t kRestart = 2;
  Scratch scratch;
  T* r = scratch.take<T>(m * m);
  T* q = scratch.take<T>(m * m);
  T* w = scratch.take<T>(m * m);
  T* product = scratch.take<T>(m * m);
  T* image = scratch.take<T>(m * n);
  for (size_t k = 0; k < steps.size(); ++k) {
    if (is_cancelled(cancel)) return false;
    const bool starts = k == 0 || k == kRestart, ends = k + 1 == steps.size() || k + 1 == kRestart;
    if (starts) gram_of_rows(kernels, m, n, x, r);
    quintic_factor(kernels, steps[k], m, r, w);
    if (starts) {
      std::copy(w, w + m * m, q);
    } else {
      multiply_commuting<T>(kernels, m, 1, w, q, 0, product);
      std::swap(q, product);
    }
    if (ends) {
      multiply_rows(kernels, m, n, q, x, image);
      std::copy(image, image + m * n, x);
    } else {
      multiply_commuting<T>(kernels, m, 1, r, w, 0, product);
      multiply_commuting<T>(kernels, m, 1, w, product, 0, r);
    }
  }
  return true;
}

template bool newton_schulz<float>(const Kernels<float>&, std::span<const Quintic>, int64_t, int64_t, float*,
                                   const int32_t*);
template bool newton_schulz<double>(const Kernels<double>&, std::span<const Quintic>, int64_t, int64_t, double*,
                                    const int32_t*);
template bool gram_newton_schulz<float>(const Kernels<float>&, std::span<const Quintic>, int64_t, int64_t, float*,
                                        const int32_t*);
template bool gram_newton_schulz<double>(const Kernels<double>&, std::span<const Quintic>, int64_t, int64_t, double*,
                                         const int32_t*);

}  // namespace kronroot::cpu
