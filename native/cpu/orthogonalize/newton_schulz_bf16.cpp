#include "newton_schulz_bf16.hpp"

#include <limits>
#include <utility>

#include "../cancel.hpp"
#include "../scratch.hpp"

namespace kronroot::cpu {
namespace {

// Scratch for the m x m matrices of a step.
struct Polynomial {
  Bf16* gram_left;
  Bf16* gram_right;
  float* gram_diagonal;
  Bf16* w_left;
  Bf16* workspace;  // of G
};

// W = a I + b G + c G^2 with G = X X^T. G is rounded as an operand is, but for the diagonal that b multiplies: there
// b G + c G^2 cancels as X nears its goal.
void quintic_factor(const Bf16Kernels& kernels, const Quintic& p, int64_t m, int64_t n, const Bf16Forms& x,
                    const Polynomial& to) {
  const auto a = static_cast<float>(p.a), b = static_cast<float>(p.b), c = static_cast<float>(p.c);
  Bf16Product gram{.m = m, .n = m, .k = n, .a = x.left, .is_symmetric = true, .workspace = to.workspace};
  if (c == 0) {
    gram.alpha = b;
    gram.gamma = a;
    gram.forms.left = to.w_left;
    kernels.multiply(gram);
    return;
  }
  gram.forms = {.left = to.gram_left, .right = to.gram_right};
  gram.diagonal = to.gram_diagonal;
  kernels.multiply(gram);
  kernels.multiply({.m = m,
                    .n = m,
                    .k = m,
                    .a = to.gram_left,
                    .b = to.gram_right,
                    .alpha = c,
                    .beta = b,
                    .d = to.gram_left,
                    .d_diagonal = to.gram_diagonal,
                    .gamma = a,
                    .is_symmetric = true,
                    .forms = {.left = to.w_left}});
}

// Whether the product is finite for certain, the sums on its way included.
bool is_finite(const Bf16Kernels& kernels, const Bf16Product& p) {
  constexpr double kMost = std::numeric_limits<float>::max() / 2;
  const double a = kernels.largest_magnitude(p.m, p.k, p.a), b = kernels.largest_magnitude(p.k, p.n, p.b);
  return static_cast<double>(p.k) * a * b <= kMost;
}

}  // namespace

kr_status newton_schulz_bf16(const Bf16Kernels& kernels, std::span<const Quintic> steps, const Bf16Source& source,
                             const Matrix<float>& x, const int32_t* cancel) {
  const int64_t m = source.rows, n = source.cols;
  const int64_t rectangle = bf16_form_size(m, n), square = bf16_form_size(m, m);
  Scratch scratch;
  Bf16Forms current{scratch.take<Bf16>(rectangle), scratch.take<Bf16>(rectangle)};
  Bf16* next_right = scratch.take<Bf16>(rectangle);
  const Polynomial polynomial{scratch.take<Bf16>(square), scratch.take<Bf16>(square), scratch.take<float>(m),
                              scratch.take<Bf16>(square), scratch.take<Bf16>(bf16_gram_workspace(n))};
  kernels.pack(source, current);
  for (const Quintic& quintic : steps) {
    if (is_cancelled(cancel)) return KR_STATUS_CANCELLED;
    quintic_factor(kernels, quintic, m, n, current, polynomial);
    Bf16Product image{.m = m, .n = n, .k = m, .a = polynomial.w_left, .b = current.right};
    if (&quintic == &steps.back()) {
      if (!is_finite(kernels, image)) return KR_STATUS_OVERFLOW;
      image.c = x.data;
      image.c_stride = x.stride;
    } else {
      image.forms = {current.left, next_right};
    }
    kernels.multiply(image);
    std::swap(current.right, next_right);
  }
  return KR_STATUS_OK;
}

}  // namespace kronroot::cpu
