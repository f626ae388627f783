// eigh of the CPU backend against the bounds of ops.h, on every instruction set this machine has.
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "../../../native/cpu/device.hpp"
#include "../../../native/cpu/isa.hpp"
#include "../expect.hpp"
#include "symmetric_matrices.hpp"

namespace {

using kronroot::cpu::KernelSet;
using kronroot::test::Precision;
using kronroot::test::precision_of;
using kronroot::test::Symmetric;

void check(bool holds, const KernelSet& set, const char* type, const char* matrix, int64_t n, const char* what,
           double value = 0) {
  if (holds) return;
  char text[256];
  std::snprintf(text, sizeof text, "%s %s n=%" PRId64 " %s: %s (%g)", set.name, type, n, matrix, what, value);
  kronroot::test::report_failure(__FILE__, __LINE__, text);
}

template <typename T>
constexpr const char* kTypeName = sizeof(T) == 4 ? "f32" : "f64";
template <typename T>
constexpr kr_dtype kDtype = sizeof(T) == 4 ? KR_F32 : KR_F64;

constexpr double kRatioBound = 10;  // ops.h

template <typename T>
std::vector<T> rounded(const Symmetric& a) {
  return {a.data.begin(), a.data.end()};
}

template <typename T>
struct Answer {
  kr_code code;
  std::vector<T> values, vectors;
  std::vector<kr_report> reports;
};

constexpr int64_t kPadding = 3;  // columns after each row of the vectors, which must not be written

template <typename T>
const T kUntouched = static_cast<T>(-77);

// The first `batch` matrices of a, each n x n.
template <typename T>
Answer<T> run(const KernelSet& set, int64_t n, int64_t batch, const std::vector<T>& a, bool wants_vectors = true,
              int threads = 1, const int32_t* cancel = nullptr) {
  kr_device device{&set, threads};
  char message[200];
  const kr_call call{&device, cancel, message, sizeof message};
  Answer<T> answer;
  const int64_t stride = n + kPadding;
  answer.values.assign(static_cast<size_t>(batch * n), kUntouched<T>);
  answer.vectors.assign(static_cast<size_t>(batch * n * stride), kUntouched<T>);
  answer.reports.resize(static_cast<size_t>(batch));
  const kr_batch input{const_cast<T*>(a.data()), kDtype<T>, 0, batch, n, n, n, n * n};
  const kr_batch values{answer.values.data(), kDtype<T>, 0, batch, n, 1, 1, n};
  const kr_batch vectors{answer.vectors.data(), kDtype<T>, 0, batch, n, n, stride, n * stride};
  answer.code =
      kronroot::cpu::eigh(&call, nullptr, &input, &values, wants_vectors ? &vectors : nullptr, answer.reports.data());
  return answer;
}

template <typename T>
Answer<T> run(const KernelSet& set, const Symmetric& a, bool wants_vectors = true) {
  return run<T>(set, a.n, 1, rounded<T>(a), wants_vectors);
}

struct Ratios {
  double residual = 0, orthogonality = 0;
};

// |A V - V diag(w)| / (n ulp |A|) and |V^T V - I| / (n ulp) in 1-norms, with sums in f64. A is scaled so that nothing
// overflows.
template <typename T>
Ratios ratios(int64_t n, const std::vector<T>& a, const Answer<T>& answer) {
  const double ulp = precision_of<T>.ulp;
  const auto size = static_cast<size_t>(n), stride = static_cast<size_t>(n + kPadding);
  double largest = 0;
  for (T x : a) largest = std::max(largest, std::abs(static_cast<double>(x)));
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  std::vector<double> v(size * size), residual(size * size), product(size * size);
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < size; ++j) v[i * size + j] = answer.vectors[i * stride + j];
  }
  std::vector<double> columns(size), residual_columns(size), product_columns(size);
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < size; ++j) {
      residual[i * size + j] = -v[i * size + j] * std::ldexp(static_cast<double>(answer.values[j]), -exponent);
    }
    product[i * size + i] = -1;
  }
  for (size_t i = 0; i < size; ++i) {
    for (size_t k = 0; k < size; ++k) {
      const double x = std::ldexp(static_cast<double>(a[i * size + k]), -exponent), y = v[k * size + i];
      columns[k] += std::abs(x);
      for (size_t j = 0; j < size; ++j) {
        residual[i * size + j] += x * v[k * size + j];
        product[i * size + j] += y * v[k * size + j];
      }
    }
  }
  Ratios ratios;
  double norm = 0;
  for (size_t i = 0; i < size; ++i) {
    for (size_t j = 0; j < size; ++j) {
      residual_columns[j] += std::abs(residual[i * size + j]);
      product_columns[j] += std::abs(product[i * size + j]);
    }
  }
  for (size_t j = 0; j < size; ++j) {
    norm = std::max(norm, columns[j]);
    ratios.residual = std::max(ratios.residual, residual_columns[j]);
    ratios.orthogonality = std::max(ratios.orthogonality, product_columns[j]);
  }
  const double unit = static_cast<double>(n) * ulp;
  ratios.residual = ratios.residual == 0 ? 0 : ratios.residual / (unit * norm);
  ratios.orthogonality /= unit;
  return ratios;
}

template <typename T>
bool has_positive_leading_component(int64_t n, const Answer<T>& answer, int64_t j) {
  T largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T x = answer.vectors[static_cast<size_t>(i * (n + kPadding) + j)];
    if (std::abs(x) > std::abs(largest)) largest = x;
  }
  return largest > 0;
}

// Everything that ops.h promises of a matrix that is answered; returns the larger ratio.
template <typename T>
double check_answer(const KernelSet& set, const Symmetric& matrix) {
  const int64_t n = matrix.n;
  const auto expect = [&](bool holds, const char* what, double value = 0) {
    check(holds, set, kTypeName<T>, matrix.name.c_str(), n, what, value);
  };
  const Answer<T> answer = run<T>(set, matrix);
  expect(answer.code == KR_OK, "code", answer.code);
  const kr_report& report = answer.reports[0];
  expect(report.status == KR_STATUS_OK, "status", report.status);
  expect(report.method == (n <= 1 ? KR_METHOD_DIRECT : KR_METHOD_QL), "method", report.method);
  if (n == 0 || report.status != KR_STATUS_OK) return 0;

  const Ratios measured = ratios(n, rounded<T>(matrix), answer);
  expect(measured.residual < kRatioBound, "residual ratio", measured.residual);
  expect(measured.orthogonality < kRatioBound, "orthogonality ratio", measured.orthogonality);
  // |R z|_2 / (|A|_F |z|_2) <= |R|_1 sqrt(n) / |A|_F, |A|_1 <= sqrt(n) |A|_F, and |z|_2 = sqrt(n)
  const double reported = report.residual / (static_cast<double>(n) * precision_of<T>.ulp);
  expect(reported >= 0 && reported <= static_cast<double>(n) * measured.residual + 1, "reported residual", reported);
  for (int64_t j = 0; j < n; ++j) {
    const auto k = static_cast<size_t>(j);
    if (j > 0 && answer.values[k - 1] > answer.values[k]) expect(false, "ascending values", static_cast<double>(j));
    if (!has_positive_leading_component(n, answer, j)) expect(false, "sign rule", static_cast<double>(j));
    for (int64_t pad = 0; pad < kPadding; ++pad) {
      if (answer.vectors[static_cast<size_t>(j * (n + kPadding) + n + pad)] != kUntouched<T>) {
        expect(false, "padding untouched");
      }
    }
  }
  const Answer<T> alone = run<T>(set, matrix, false);
  expect(std::isnan(alone.reports[0].residual), "no residual for values only");
  double difference = 0, largest = 0;
  for (size_t j = 0; j < alone.values.size(); ++j) {
    difference = std::max(difference, std::abs(static_cast<double>(alone.values[j]) - answer.values[j]));
    largest = std::max(largest, std::abs(static_cast<double>(answer.values[j])));
    if (j > 0 && alone.values[j - 1] > alone.values[j]) expect(false, "ascending values alone");
  }
  // LAPACK's limit for values computed with and without vectors is 60 ulp; the errors of both grow with sqrt(n).
  const double agreement = difference == 0 ? 0 : difference / (precision_of<T>.ulp * largest);
  expect(agreement < std::max(60.0, 0.25 * static_cast<double>(n)), "values with and without vectors", agreement);
  return std::max(measured.residual, measured.orthogonality);
}

template <typename T>
void check_zoo(const KernelSet& set, bool is_best) {
  std::vector<int64_t> sizes;
  for (int64_t n = 0; n <= 20; ++n) sizes.push_back(n);
  for (int64_t n : {31, 32, 33, 63, 64, 65, 127, 128, 129}) sizes.push_back(n);
  if (is_best) sizes.insert(sizes.end(), {255, 256, 257, 500});
  double worst = 0;
  for (int64_t n : sizes) {
    for (int type = 1; type <= 21; ++type) {
      worst = std::max(worst, check_answer<T>(set, kronroot::test::lapack_type(type, n, precision_of<T>)));
    }
  }
  double worst_killer = 0;
  const double largest = std::numeric_limits<T>::max();
  for (const Symmetric& matrix : kronroot::test::known_killers(precision_of<T>, largest)) {
    worst_killer = std::max(worst_killer, check_answer<T>(set, matrix));
  }
  std::printf("%-8s %s: largest ratio %.2f over LAPACK's types, %.2f over known killers\n", set.name, kTypeName<T>,
              worst, worst_killer);
}

// Orders at which the tridiagonal matrix is divided once, several times, evenly or not.
template <typename T>
void check_division(const KernelSet& set, bool is_best) {
  const auto answer_all = [&](int64_t n, const std::vector<int>& types) {
    double worst = 0;
    for (int type : types) {
      worst = std::max(worst, check_answer<T>(set, kronroot::test::lapack_type(type, n, precision_of<T>)));
    }
    return worst;
  };
  double worst = 0;
  for (int64_t n : is_best ? std::vector<int64_t>{66, 130, 257, 300, 511} : std::vector<int64_t>{130, 257}) {
    for (const Symmetric& matrix : kronroot::test::hard_to_divide(n, precision_of<T>)) {
      worst = std::max(worst, check_answer<T>(set, matrix));
    }
  }
  if (is_best) {
    for (int64_t n = 62; n <= 130; n += n < 70 || n >= 94 ? 1 : 4) {
      worst = std::max(worst, answer_all(n, {9, 13, 21}));
      worst = std::max(worst, check_answer<T>(set, kronroot::test::low_rank_gram(n, n / 3)));
    }
    worst = std::max(worst, answer_all(300, {8, 9, 10, 13, 16, 17, 18, 21}));
    worst = std::max(worst, answer_all(784, {9, 16}));
    worst = std::max(worst, answer_all(1000, {13}));
  }
  std::printf("%-8s %s: largest ratio %.2f over matrices that are hard to divide\n", set.name, kTypeName<T>, worst);
}

template <typename T>
bool same_bits(const T* x, const T* y, size_t count) {
  return std::memcmp(x, y, count * sizeof(T)) == 0;
}

// 33 matrices, of which some are bad: each answers as it does alone, whatever the number of threads.
template <typename T>
void check_batch(const KernelSet& set) {
  constexpr int64_t kBatch = 33;
  const Precision precision = precision_of<T>;
  for (int64_t n : {5, 16, 33, 64, 120}) {
    const auto expect = [&](bool holds, const char* what) { check(holds, set, kTypeName<T>, "batch", n, what); };
    const auto size = static_cast<size_t>(n * n), padded = static_cast<size_t>(n * (n + kPadding));
    std::vector<T> a;
    for (int64_t b = 0; b < kBatch; ++b) {
      const std::vector<T> one = rounded<T>(kronroot::test::lapack_type(static_cast<int>(b % 21 + 1), n, precision));
      a.insert(a.end(), one.begin(), one.end());
    }
    const Answer<T> good = run(set, n, kBatch, a, true, 2);
    std::vector<T> bad = a;
    bad[3 * size + 1] = std::numeric_limits<T>::quiet_NaN();
    bad[7 * size + size - 1] = std::numeric_limits<T>::infinity();
    bad[12 * size + 1] += T{1};  // the random matrix, type 13
    std::vector<int32_t> expected(kBatch, KR_STATUS_OK);
    expected[3] = expected[7] = KR_STATUS_NON_FINITE_INPUT;
    expected[12] = KR_STATUS_NOT_SYMMETRIC;
    for (int threads : {1, 2, 3}) {
      const Answer<T> answer = run(set, n, kBatch, bad, true, threads);
      for (size_t b = 0; b < kBatch; ++b) {
        expect(answer.reports[b].status == expected[b], "status in a batch with bad matrices");
        if (expected[b] == KR_STATUS_OK) {
          expect(same_bits(&answer.values[b * n], &good.values[b * n], n), "values beside bad matrices");
          expect(same_bits(&answer.vectors[b * padded], &good.vectors[b * padded], padded),
                 "vectors beside bad matrices");
        } else {
          expect(answer.values[b * n] == kUntouched<T> && answer.vectors[b * padded] == kUntouched<T>,
                 "outputs of bad matrices");
          expect(answer.reports[b].rung == KR_RUNG_NONE, "rung of bad matrices");
        }
      }
    }
    for (size_t b : {0, 8, 12, 32}) {
      // Among copies of itself, in calls of two sizes that take the same path.
      for (size_t copies : {size_t{kBatch}, size_t{17}}) {
        std::vector<T> repeated;
        for (size_t copy = 0; copy < copies; ++copy) {
          repeated.insert(repeated.end(), a.begin() + b * size, a.begin() + (b + 1) * size);
        }
        const Answer<T> answer = run(set, n, static_cast<int64_t>(copies), repeated);
        for (size_t copy : {size_t{0}, copies - 1}) {
          expect(same_bits(&answer.values[copy * n], &good.values[b * n], n), "values among others");
          expect(same_bits(&answer.vectors[copy * padded], &good.vectors[b * padded], padded), "vectors among others");
        }
      }
    }
  }
}

// A batch smaller than the number of threads shares each matrix among several, with the same bits.
template <typename T>
void check_sharing(const KernelSet& set) {
  for (int64_t n : {300, 601}) {
    const std::vector<T> a = rounded<T>(kronroot::test::lapack_type(13, n, precision_of<T>));
    const Answer<T> alone = run(set, n, 1, a, true, 1);
    for (int threads : {2, 3, 8}) {
      const Answer<T> shared = run(set, n, 1, a, true, threads);
      check(alone.vectors == shared.vectors && alone.values == shared.values, set, kTypeName<T>, "one matrix", n,
            "bits on several threads", threads);
    }
  }
}

template <typename T>
void check_edges(const KernelSet& set) {
  const auto expect = [&](bool holds, const char* what, double value = 0) {
    check(holds, set, kTypeName<T>, "edge", 0, what, value);
  };
  const double ulp = precision_of<T>.ulp;
  const T largest = std::numeric_limits<T>::max();

  const Answer<T> one = run(set, 1, 1, std::vector<T>{T{-3}});
  expect(one.values[0] == -3 && one.vectors[0] == 1, "1 x 1");

  // asymmetry: sqrt(ulp) / 2 is symmetrised, 2 sqrt(ulp) is refused
  const T small = static_cast<T>(std::sqrt(ulp));
  const Answer<T> near = run(set, 2, 1, std::vector<T>{1, small / 2, 0, 1});
  expect(near.reports[0].status == KR_STATUS_OK, "slight asymmetry");
  expect(std::abs(near.values[1] - (1 + small / 4)) <= 4 * ulp, "slight asymmetry is averaged", near.values[1]);
  const Answer<T> far = run(set, 2, 1, std::vector<T>{1, 2 * small, 0, 1});
  expect(far.reports[0].status == KR_STATUS_NOT_SYMMETRIC, "asymmetry", far.reports[0].status);

  // ones(4) times the largest number: the eigenvalue 4 FLT_MAX does not exist
  const Answer<T> over = run(set, 4, 1, std::vector<T>(16, largest));
  expect(over.reports[0].status == KR_STATUS_OVERFLOW, "overflow", over.reports[0].status);
  expect(over.values[0] == kUntouched<T> && over.vectors[0] == kUntouched<T>, "outputs after overflow");
  // the eigenvalue of a constant matrix is at most the largest number here, and may only round to above it
  for (int64_t n = 1; n <= 40; ++n) {
    const auto size = static_cast<size_t>(n * n);
    const T element = std::nextafter(largest / static_cast<T>(n), T{0});
    const Answer<T> edge = run(set, n, 1, std::vector<T>(size, element));
    expect(edge.reports[0].status == KR_STATUS_OK, "status at the end of the range", static_cast<double>(n));
    expect(edge.values.back() <= largest && edge.values.back() >= largest * T(0.999), "value at the end of the range");
  }

  const std::vector<T> matrices(3 * 100, T{1});
  const int32_t cancel = 1;
  const Answer<T> cancelled = run(set, 10, 3, matrices, true, 1, &cancel);
  expect(cancelled.code == KR_CANCELLED && cancelled.reports[2].status == KR_STATUS_CANCELLED, "cancelled");
  expect(cancelled.values[0] == kUntouched<T>, "outputs after cancellation");
  expect(run(set, 0, 3, std::vector<T>{}).code == KR_OK, "order 0");
  expect(run(set, 4, 0, std::vector<T>{}).code == KR_OK, "batch 0");
}

// A large matrix is left in the middle.
template <typename T>
void check_cancellation(const KernelSet& set, bool is_best) {
  if (!is_best) return;
  constexpr int64_t kOrder = 1500;
  std::vector<T> a(static_cast<size_t>(kOrder * kOrder));
  for (int64_t i = 0; i < kOrder; ++i) {
    for (int64_t j = 0; j < kOrder; ++j)
      a[static_cast<size_t>(i * kOrder + j)] = static_cast<T>((i + 1) * (j + 1) % 97);
  }
  for (bool wants_vectors : {true, false}) {
    int32_t cancel = 0;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      __atomic_store_n(&cancel, 1, __ATOMIC_RELEASE);
    });
    const Answer<T> answer = run(set, kOrder, 1, a, wants_vectors, 1, &cancel);
    canceller.join();
    const auto expect = [&](bool holds, const char* what) {
      check(holds, set, kTypeName<T>, "cancelled", kOrder, what);
    };
    expect(answer.code == KR_CANCELLED && answer.reports[0].status == KR_STATUS_CANCELLED, "cancelled in the middle");
    expect(answer.values[0] == kUntouched<T> && answer.vectors[0] == kUntouched<T>, "outputs left alone");
  }
}

// Runs f(set, is_best) for every instruction set that this machine has.
template <typename F>
void for_each_isa(const F& f) {
  for (const char* name : {"avx512", "avx2", "baseline"}) {
    const KernelSet* set = kronroot::cpu::find_kernels(name);
    if (set != nullptr) f(*set, set == &kronroot::cpu::best_kernels());
  }
}

}  // namespace

TEST("cpu eigh: f32 keeps LAPACK's ratios on the 21 types and the known killers") { for_each_isa(check_zoo<float>); }

TEST("cpu eigh: f64 keeps LAPACK's ratios on the 21 types and the known killers") { for_each_isa(check_zoo<double>); }

TEST("cpu eigh: f32 keeps LAPACK's ratios where the tridiagonal matrix is divided") {
  for_each_isa(check_division<float>);
}

TEST("cpu eigh: f64 keeps LAPACK's ratios where the tridiagonal matrix is divided") {
  for_each_isa(check_division<double>);
}

TEST("cpu eigh: a matrix answers in a batch as it does alone, beside bad ones, on any number of threads") {
  for_each_isa([](const KernelSet& set, bool) {
    check_batch<float>(set);
    check_batch<double>(set);
  });
}

TEST("cpu eigh: one large matrix is cancelled in the middle") {
  for_each_isa(check_cancellation<float>);
  for_each_isa(check_cancellation<double>);
}

TEST("cpu eigh: one matrix has the same bits on any number of threads") {
  for_each_isa([](const KernelSet& set, bool) {
    check_sharing<float>(set);
    check_sharing<double>(set);
  });
}

TEST("cpu eigh: edges of range, symmetry, cancellation, order 0 and batch 0") {
  for_each_isa([](const KernelSet& set, bool) {
    check_edges<float>(set);
    check_edges<double>(set);
  });
}
