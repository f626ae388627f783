// The refresh of eigh against ops.h, on every instruction set, and the CPU's step against the reference's.
#include <cmath>
#include <string>
#include <vector>

#include "devices.hpp"
#include "native/core/matrix.hpp"
#include "native/core/planner.hpp"
#include "symmetric_matrices.hpp"

using namespace kronroot;
using namespace kronroot::test;

namespace {

using Entry = kr_code (*)(const kr_call*, const kr_eigh_options*, const kr_batch*, const kr_batch*, const kr_batch*,
                          kr_report*);

template <typename T>
struct Basis {
  Basis(int64_t batch, int64_t n) : values(batch, n, 1, T(-77)), vectors(batch, n, n, T(-77), 3) {}
  Batch<T> values, vectors;
  std::vector<kr_report> reports;

  // vectors: what the options make of it, in place.
  void update(const Batch<T>& a, const cpu::KernelSet& set, kr_eigh_options options, Entry eigh = cpu::eigh) {
    DeviceCall call(set, 2);
    reports.resize(static_cast<size_t>((&a)->batch));
    EXPECT(eigh(call.get(), &options, &a, &values, &vectors, reports.data()) == KR_OK);
  }
};

kr_eigh_options refresh(kr_refresh kind, double tolerance = 0) { return {kind, 0, tolerance}; }

// The spectrum 1 .. smallest, geometric, in a random basis, plus `change` times a symmetric matrix of order 1.
template <typename T>
Batch<T> changed(int64_t n, double smallest, double change) {
  const Symmetric s = spectral("geometric", spectrum(1, n, smallest));
  Uniform random(static_cast<uint64_t>(n));
  Batch<T> a(1, n, n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      const double here = s.data[static_cast<size_t>(i * n + j)] + change * random.next() / std::sqrt(n);
      a(i, j) = a(j, i) = static_cast<T>(here);
    }
  }
  return a;
}

struct Errors {
  double residual = 0;    // |A V - V diag(w)|_F / |A|_F
  double orthogonal = 0;  // |V^T V - I|_1 / (n ulp)
};

template <typename T>
Errors errors(Batch<T> a, Basis<T>& basis) {
  const int64_t n = a.rows();
  double squares = 0, size = 0, loss = 0;
  for (int64_t j = 0; j < n; ++j) {
    double loss_column = 0;
    for (int64_t i = 0; i < n; ++i) {
      double product = 0, inner = 0;
      for (int64_t k = 0; k < n; ++k) {
        product += static_cast<double>(a(i, k)) * basis.vectors(k, j);
        inner += static_cast<double>(basis.vectors(k, i)) * basis.vectors(k, j);
      }
      const double difference = product - static_cast<double>(basis.vectors(i, j)) * basis.values(j, 0);
      squares += difference * difference;
      size += static_cast<double>(a(i, j)) * a(i, j);
      loss_column += std::abs(inner - (i == j));
    }
    loss = std::max(loss, loss_column);
  }
  return {size == 0 ? 0 : std::sqrt(squares / size), loss / (static_cast<double>(n) * ulp_of<T>)};
}

template <typename T>
void check_order(const std::string& where, Basis<T>& basis) {
  const int64_t n = basis.values.rows();
  for (int64_t j = 0; j < n; ++j) {
    T largest = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (std::abs(basis.vectors(i, j)) > std::abs(largest)) largest = basis.vectors(i, j);
    }
    check(largest > 0, where, "sign");
    check(j == 0 || basis.values(j - 1, 0) <= basis.values(j, 0), where, "ascending");
  }
}

template <typename T>
void check_size(const cpu::KernelSet& set, int64_t n) {
  const std::string where = std::string(set.name) + " " + type_name<T> + " n = " + std::to_string(n);
  const Batch<T> before = changed<T>(n, 0.1, 0), after = changed<T>(n, 0.1, 1e-3);
  const double fresh_bound = 10 * static_cast<double>(n) * std::sqrt(static_cast<double>(n)) * ulp_of<T>;
  Basis<T> start(1, n), anew(1, n);
  start.update(before, set, refresh(KR_REFRESH_NONE));
  anew.update(after, set, refresh(KR_REFRESH_NONE));

  // The matrix that the basis belongs to: it stays, by the default tolerance too.
  for (kr_refresh kind : {KR_REFRESH_DECOMPOSE, KR_REFRESH_ITERATE}) {
    Basis<T> same = start;
    same.update(before, set, refresh(kind));
    check(same.reports[0].method == KR_METHOD_KEPT_BASIS && same.reports[0].iterations == 0, where, "kept as it is");
    check(same_bits(same.vectors.data(), start.vectors.data()), where, "bits of a basis that stays");
    check(errors(before, same).residual <= fresh_bound, where, "residual of a basis that stays");
  }

  // A matrix that moved by about 1e-3: within 0.1 the basis stays, and says how good it is.
  Basis<T> kept = start;
  kept.update(after, set, refresh(KR_REFRESH_ITERATE, 0.1));
  const Errors of_kept = errors(after, kept);
  check(kept.reports[0].method == KR_METHOD_KEPT_BASIS, where, "kept within the tolerance");
  check(of_kept.residual <= 0.1, where, "residual within the tolerance", of_kept.residual);
  check(kept.reports[0].residual <= 10 * of_kept.residual + fresh_bound, where, "reported residual, above");
  check(n < 16 || kept.reports[0].residual >= 0.1 * of_kept.residual, where, "reported residual, below");
  check_order(where + " kept", kept);

  Basis<T> decomposed = start;
  decomposed.update(after, set, refresh(KR_REFRESH_DECOMPOSE, 1e-6));
  check(decomposed.reports[0].method == KR_METHOD_QL, where, "decomposed");
  // A small matrix is decomposed in a vector lane where there is no basis to refresh: another path, other bits.
  const Errors of_decomposed = errors(after, decomposed);
  check(of_decomposed.residual <= fresh_bound, where, "residual of a decomposition", of_decomposed.residual);
  if (!plan_lanes(built_in_crossovers(set.name), LaneOp::eigh, dtype_of<T>, n, 1)) {
    check(same_bits(decomposed.vectors.data(), anew.vectors.data()), where, "bits of a decomposition");
  }

  // A step of orthogonal iteration, and the same by the reference.
  Basis<T> iterated = start, oracle = start;
  iterated.update(after, set, refresh(KR_REFRESH_ITERATE));
  oracle.update(after, set, refresh(KR_REFRESH_ITERATE), kr_reference_backend()->eigh);
  check(iterated.reports[0].method == KR_METHOD_ORTHOGONAL_ITERATION && iterated.reports[0].iterations == 1, where,
        "iterated");
  const Errors of_iterated = errors(after, iterated);
  check(of_iterated.orthogonal < 10, where, "orthogonality after a step", of_iterated.orthogonal);
  check(n > 3 || of_iterated.residual < of_kept.residual, where, "a step improves", of_iterated.residual);
  check_order(where + " iterated", iterated);
  for (int64_t j = 0; j < n; ++j) {
    const double difference = std::abs(static_cast<double>(iterated.values(j, 0)) - oracle.values(j, 0));
    check(difference <= 20 * static_cast<double>(n) * ulp_of<T>, where, "value of the reference", difference);
  }
  check(std::abs(iterated.reports[0].residual - oracle.reports[0].residual) <= 1e-3 * of_kept.residual + fresh_bound,
        where, "residual of the reference");

  // Steps converge to the decomposition: neighbouring eigenvalues of small matrices are well apart.
  if (n <= 4) {
    for (int step = 0; step < 400; ++step) iterated.update(after, set, refresh(KR_REFRESH_ITERATE));
    check(iterated.reports[0].method == KR_METHOD_KEPT_BASIS, where, "converged");
    check(errors(after, iterated).residual <= 2 * fresh_bound, where, "residual at the end");
  }
}

template <typename T>
void check_unusable(const cpu::KernelSet& set) {
  constexpr int64_t n = 40;
  const std::string where = std::string(set.name) + " " + type_name<T>;
  const Batch<T> a = changed<T>(n, 1e-3, 0.1);
  Basis<T> anew(1, n);
  anew.update(a, set, refresh(KR_REFRESH_NONE));
  for (T filler : {T(0), T(1), nan_of<T>, infinity_of<T>}) {
    Basis<T> basis(1, n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) basis.vectors(i, j) = filler;
    }
    basis.update(a, set, refresh(KR_REFRESH_ITERATE, 0.5));
    check(basis.reports[0].method == KR_METHOD_QL, where, "a basis that is none is not used");
    check(same_bits(basis.vectors.data(), anew.vectors.data()), where, "bits in its place");
  }
  // One column twice.
  Basis<T> twice = anew;
  for (int64_t i = 0; i < n; ++i) twice.vectors(i, 3) = twice.vectors(i, 4);
  twice.update(a, set, refresh(KR_REFRESH_ITERATE, 0.5));
  check(twice.reports[0].method == KR_METHOD_QL, where, "a column twice");
}

// Of rank n / 4: A Q has columns that are nothing but rounding.
template <typename T>
void check_deficient(const cpu::KernelSet& set) {
  const Symmetric gram = low_rank_gram(60, 15);
  const std::string where = std::string(set.name) + " " + type_name<T> + " " + gram.name;
  Batch<T> a(1, gram.n, gram.n), zero(1, gram.n, gram.n);
  for (int64_t i = 0; i < gram.n; ++i) {
    for (int64_t j = 0; j < gram.n; ++j) a(i, j) = static_cast<T>(gram.data[static_cast<size_t>(i * gram.n + j)]);
  }
  Basis<T> basis(1, gram.n);
  basis.update(changed<T>(gram.n, 0.1, 0), set, refresh(KR_REFRESH_NONE));
  basis.update(a, set, refresh(KR_REFRESH_ITERATE));
  check(basis.reports[0].method == KR_METHOD_ORTHOGONAL_ITERATION, where, "iterated");
  check(errors(a, basis).orthogonal < 10, where, "orthogonality");
  basis.update(zero, set, refresh(KR_REFRESH_ITERATE));
  check(basis.reports[0].method == KR_METHOD_KEPT_BASIS && basis.reports[0].residual == 0, where, "zero matrix");
}

// Matrices 0 and 2 of a batch are as they are alone; 1 is not finite and leaves its basis as it was.
template <typename T>
void check_batch(const cpu::KernelSet& set) {
  constexpr int64_t n = 20, kSize = n * n;
  Batch<T> good = changed<T>(n, 0.1, 0), moved = changed<T>(n, 0.1, 1e-2), a(3, n, n);
  Basis<T> alone(1, n), basis(3, n);
  alone.update(good, set, refresh(KR_REFRESH_NONE));
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t i = 0; i < kSize; ++i) {
      a(b, i / n, i % n) = moved(i / n, i % n);
      basis.vectors(b, i / n, i % n) = alone.vectors(i / n, i % n);
    }
  }
  a(1, 4, 5) = nan_of<T>;
  const Basis<T> before = basis;
  Basis<T> untouched = before;
  basis.update(a, set, refresh(KR_REFRESH_ITERATE));
  alone.update(moved, set, refresh(KR_REFRESH_ITERATE));
  check(basis.reports[1].status == KR_STATUS_NON_FINITE_INPUT, set.name, "status of the bad matrix");
  for (int64_t i = 0; i < kSize; ++i) {
    const int64_t r = i / n, c = i % n;
    check(basis.vectors(1, r, c) == untouched.vectors(1, r, c), set.name, "basis of the bad matrix");
    check(basis.vectors(0, r, c) == alone.vectors(r, c), set.name, "bits of its neighbour");
    check(basis.vectors(2, r, c) == alone.vectors(r, c), set.name, "bits of its other neighbour");
  }
}

}  // namespace

TEST("eigh refresh: kept, decomposed or iterated as ops.h says, and as the reference does") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    for (int64_t n : {2, 3, 17, 33, 64, 65, 100}) {
      check_size<float>(*set, n);
      check_size<double>(*set, n);
    }
  }
}

TEST("eigh refresh: 1 x 1 and order 0 are decomposed") {
  const cpu::KernelSet& set = cpu::best_kernels();
  Basis<double> one(1, 1), none(1, 0);
  one.update(Batch<double>{{-3.0}}, set, refresh(KR_REFRESH_ITERATE));
  EXPECT(one.values(0, 0) == -3 && one.vectors(0, 0) == 1 && one.reports[0].method == KR_METHOD_DIRECT);
  none.update(Batch<double>(1, 0, 0), set, refresh(KR_REFRESH_ITERATE));
  EXPECT(none.reports[0].status == KR_STATUS_OK);
}

TEST("eigh refresh: a basis that is not orthonormal is not used") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    check_unusable<float>(*set);
    check_unusable<double>(*set);
  }
}

TEST("eigh refresh: rank-deficient and zero matrices keep the basis orthogonal") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    check_deficient<float>(*set);
    check_deficient<double>(*set);
  }
}

TEST("eigh refresh: a bad matrix leaves its basis and its neighbours alone") {
  for (const cpu::KernelSet* set : kernel_sets()) {
    check_batch<float>(*set);
    check_batch<double>(*set);
  }
}
