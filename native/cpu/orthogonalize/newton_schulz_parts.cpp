#include "newton_schulz_parts.hpp"

#include <limits>
#include <utility>

#include "../cancel.hpp"
#include "../scratch.hpp"

namespace kronroot::cpu {
namespace {

// Scratch for the m x m matrices of a step.
struct Polynomial {
  int parts;
  Bf16* gram_left;
  Bf16* gram_right;
  float* gram_diagonal;
  Bf16* w_left;
  Bf16* workspace;  // of G
};

// W = a I + b G + c G^2 with G = X X^T. G is split as an operand is, but for the diagonal that b multiplies: there
// b G + c G^2 cancels as X nears its goal.
void quintic_factor(const Bf16Kernels& kernels, const Quintic& p, int64_t m, int64_t n, const Bf16Forms& x,
                    const Polynomial& to) {
  const auto a = static_cast<float>(p.a), b = static_cast<float>(p.b), c = static_cast<float>(p.c);
  Bf16Product gram{
      .m = m, .n = m, .k = n, .parts = to.parts, .a = x.left, .is_symmetric = true, .workspace = to.workspace};
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
                    .parts = to.parts,
                    .a = to.gram_left,
                    .b = to.gram_right,
                    .alpha = c,
                    .beta = b,
                    .gamma = a,
                    .is_symmetric = true,
                    .forms = {.left = to.w_left},
                    .d = to.gram_left,
                    .d_diagonal = to.gram_diagonal});
}

// Whether the product is finite for certain, the sums on its way included.
bool is_finite(const Bf16Kernels& kernels, const Bf16Product& p) {
  constexpr double kMost = std::numeric_limits<float>::max() / 2;
  const double a = kernels.largest_magnitude(p.m, p.k, p.a), b = kernels.largest_magnitude(p.k, p.n, p.b);
  return static_cast<double>(p.k) * a * b <= kMost;
}

}  // namespace

kr_status newton_schulz_parts(const Bf16Kernels& kernels, int parts, std::span<const Quintic> steps,
                              const Bf16Source& source, const Matrix<float>& x, const int32_t* cancel) {
  const int64_t m = source.rows, n = source.cols;
  const int64_t rectangle = bf16_form_size(m, n, parts), square = bf16_form_size(m, m, parts);
  Scratch scratch;
  Bf16Forms current{scratch.take<Bf16>(rectangle), scratch.take<Bf16>(rectangle)};
  Bf16* next_right = scratch.take<Bf16>(rectangle);
  const Polynomial polynomial{parts,
                              scratch.take<Bf16>(square),
                              scratch.take<Bf16>(square),
                              scratch.take<float>(m),
                              scratch.take<Bf16>(square),
                              scratch.take<Bf16>(bf16_gram_workspace(n, parts))};
  kernels.pack(source, parts, current);
  for (const Quintic& quintic : steps) {
    if (is_cancelled(cancel)) return KR_STATUS_CANCELLED;
    quintic_factor(kernels, quintic, m, n, current, polynomial);
    Bf16Product image{.m = m, .n = n, .k = m, .parts = parts, .a = polynomial.w_left, .b = current.right};
    if (&quintic == &steps.back()) {
      if (parts == 1 && !is_finite(kernels, image)) return KR_STATUS_OVERFLOW;
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
