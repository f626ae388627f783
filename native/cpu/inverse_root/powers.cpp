#include "powers.hpp"

#include <algorithm>
#include <utility>

#include "../commuting.hpp"

namespace kronroot::cpu {
namespace {

// to <- to factor^power
template <typename T>
void multiply_repeatedly(const Kernels<T>& kernels, int64_t n, const T* factor, int power, T* to) {
  Scratch scratch;
  T* product = scratch.take<T>(n * n);
  for (int k = 0; k < power; ++k) {
    multiply_commuting<T>(kernels, n, 1, to, factor, 0, product);
    std::copy_n(product, n * n, to);
  }
}

}  // namespace

template <typename T>
void raise_to_root(const Kernels<T>& kernels, int64_t n, const Root& root, const T* base, T* x) {
  if (root.inverse && root.b == 1) return;
  const int whole = root.inverse ? 0 : (root.b + root.a - 1) / root.a;
  const int power = root.inverse ? root.b : whole * root.a - root.b;
  Scratch scratch;
  T* factor = scratch.take<T>(n * n);
  std::copy_n(x, n * n, factor);
  if (power == 0) {
    std::copy_n(base, n * n, x);
  } else {
    multiply_repeatedly(kernels, n, factor, power - 1, x);
  }
  multiply_repeatedly(kernels, n, base, power == 0 ? whole - 1 : whole, x);
}

template void raise_to_root<float>(const Kernels<float>&, int64_t, const Root&, const float*, float*);
template void raise_to_root<double>(const Kernels<double>&, int64_t, const Root&, const double*, double*);

}  // namespace kronroot::cpu
