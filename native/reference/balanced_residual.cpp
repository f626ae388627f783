#include "balanced_residual.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace kronroot::reference {
namespace {

// matrix 2^exponent, the largest magnitude of the matrix in [1/2, 1)
struct ScaledMatrix {
  explicit ScaledMatrix(const Dense& m) : exponent(exponent_of(m)), matrix(scaled(m, -exponent)) {}
  int exponent;
  Dense matrix;
};

// v 2^exponent
struct ScaledVector {
  Vector v;
  int64_t exponent = 0;
};

Vector value_of(ScaledVector x, int64_t relative_to = 0) {
  const auto shift = static_cast<int>(std::clamp<int64_t>(x.exponent - relative_to, -5000, 5000));
  for (double& each : x.v) each = std::ldexp(each, shift);
  return std::move(x.v);
}

// matrix^power x
ScaledVector times(const ScaledMatrix& matrix, int power, ScaledVector x) {
  for (int k = 0; k < power; ++k) {
    x.v = multiply(matrix.matrix, x.v);
    int exponent = 0;
    std::frexp(norm(x.v), &exponent);
    for (double& each : x.v) each = std::ldexp(each, -exponent);
    x.exponent += matrix.exponent + exponent;
  }
  return x;
}

// S z, S the product of a factors X and b factors B, spread evenly: B number j stands after (j + 1/2) a / b factors X,
// rounded. Where that is half-integral (a and b odd), the mean of rounding up and of its mirror image, rounding down.
Vector balanced_product(const ScaledMatrix& b, const ScaledMatrix& x, const Root& root, const Vector& z) {
  const auto product = [&](int half_up) {
    ScaledVector y{z};
    int done = 0;
    for (int j = 0; j < root.b; ++j) {
      const int before = ((2 * j + 1) * root.a + root.b - 1 + half_up) / (2 * root.b);
      y = times(b, 1, times(x, before - done, std::move(y)));
      done = before;
    }
    return value_of(times(x, root.a - done, std::move(y)));
  };
  Vector y = product(1);
  if (root.a % 2 == 0 || root.b % 2 == 0) return y;
  const Vector mirrored = product(0);
  for (size_t i = 0; i < y.size(); ++i) y[i] = (y[i] + mirrored[i]) / 2;
  return y;
}

double ratio(double error, double size) { return error == 0 ? 0 : error / size; }

// |error(z)| / |size(z)|: for the probe, or over all unit vectors.
double relative_norm(int64_t n, Measure measure, const std::function<std::pair<Vector, Vector>(const Vector&)>& of) {
  if (measure == Measure::probe) {
    const auto [error, size] = of(probe(n));
    return ratio(norm(error), norm(size));
  }
  double errors = 0, sizes = 0;
  for (int64_t j = 0; j < n; ++j) {
    Vector unit(static_cast<size_t>(n));
    unit[static_cast<size_t>(j)] = 1;
    const auto [error, size] = of(unit);
    errors = std::hypot(errors, norm(error));
    sizes = std::hypot(sizes, norm(size));
  }
  return ratio(errors, sizes);
}

}  // namespace

double balanced_residual(const Dense& b, const Dense& x, const Root& root, Measure measure) {
  const ScaledMatrix base(b), result(x);
  if (root.inverse) {
    return relative_norm(b.rows(), measure, [&](const Vector& z) {
      return std::pair(difference(balanced_product(base, result, root, z), z), z);
    });
  }
  // Both powers in units of the norm of B^b, which may not be representable.
  const int64_t unit = int64_t{root.b} * base.exponent;
  return relative_norm(b.rows(), measure, [&](const Vector& z) {
    const Vector power = value_of(times(base, root.b, {z}), unit);
    return std::pair(difference(value_of(times(result, root.a, {z}), unit), power), power);
  });
}

double projector_residual(const Dense& a, const Dense& x, const Root& root, Measure measure) {
  const ScaledMatrix base(a), result(x);
  return relative_norm(a.rows(), measure, [&](const Vector& z) {
    const Vector once = balanced_product(base, result, root, z);
    return std::pair(difference(balanced_product(base, result, root, once), once), z);
  });
}

}  // namespace kronroot::reference
