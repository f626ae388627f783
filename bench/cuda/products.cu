// Products on a GPU: GFLOP/s of every kernel by order, and errors against f64.
//
//   nvcc -O3 -std=c++20 --expt-relaxed-constexpr -gencode arch=compute_90a,code=sm_90a -diag-suppress=177 -o products \
//     bench/cuda/products.cu native/cuda/gemm/*.cu native/cuda/{op,device,errors}.cpp native/core/check*.cpp
//   ./products            all orders
//   ./products 512 1024   these
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "../../native/cuda/gemm/pair_product.hpp"
#include "../../native/cuda/gemm/product_kernels.hpp"

namespace kronroot::cuda {
namespace {

constexpr int64_t kOrders[] = {8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048, 4096};

void must(bool holds, const char* what) {
  if (holds) return;
  std::printf("failed: %s\n", what);
  std::exit(1);
}

// Matrices of one order in device memory.
template <typename T>
class Matrices {
 public:
  Matrices(int64_t batch, int64_t n) : count_(batch * n * n), batch_(batch), n_(n) {
    must(cudaMalloc(&data_, static_cast<std::size_t>(count_) * sizeof(T)) == cudaSuccess, "cudaMalloc");
  }
  ~Matrices() { cudaFree(data_); }
  Matrices(const Matrices&) = delete;
  Matrices& operator=(const Matrices&) = delete;
  BatchView<T> view() const { return dense_view(static_cast<T*>(data_), batch_, n_, n_); }
  BatchView<const T> input() const { return as_input(view()); }
  void write(const std::vector<T>& from) { cudaMemcpy(data_, from.data(), from.size() * sizeof(T), cudaMemcpyDefault); }
  std::vector<T> read() const {
    std::vector<T> to(static_cast<std::size_t>(count_));
    cudaMemcpy(to.data(), data_, to.size() * sizeof(T), cudaMemcpyDefault);
    return to;
  }

 private:
  void* data_ = nullptr;
  int64_t count_, batch_, n_;
};

// In [low, 1), multiples of 2^-23; symmetric.
template <typename T>
std::vector<T> symmetric(int64_t batch, int64_t n, double low) {
  std::mt19937 engine(static_cast<unsigned>(n));
  std::vector<T> all(static_cast<std::size_t>(batch * n * n));
  for (int64_t b = 0; b < batch; ++b) {
    T* const a = all.data() + b * n * n;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        const double unit = static_cast<double>(engine() >> 9) * 0x1p-23;
        a[i * n + j] = a[j * n + i] = static_cast<T>(static_cast<float>(low + (1 - low) * unit));
      }
    }
  }
  return all;
}

class Bench {
 public:
  Bench() {
    call_.message = text_;
    call_.message_size = sizeof text_;
    if (open(&call_, nullptr, &call_.device) != KR_OK) {
      std::printf("%s\n", text_);
      std::exit(1);
    }
    std::printf("%s, %d multiprocessors\n", call_.device->name, call_.device->multiprocessors);
    cudaEventCreate(&begin_);
    cudaEventCreate(&end_);
  }
  const kr_call* call() const { return &call_; }

  // Seconds of one of what `enqueue` enqueues: the median of five.
  template <typename F>
  double time(F enqueue) {
    once(enqueue, 2);
    const double estimate = once(enqueue, 2);
    const int repeats = std::clamp(static_cast<int>(0.01 / estimate), 2, 500);
    std::vector<double> seconds;
    for (int i = 0; i < 5; ++i) seconds.push_back(once(enqueue, repeats));
    std::sort(seconds.begin(), seconds.end());
    return seconds[2];
  }

 private:
  template <typename F>
  double once(F enqueue, int repeats) {
    Op op(&call_, "bench");
    op.enqueue([this](cudaStream_t stream) { return cudaEventRecord(begin_, stream); });
    for (int i = 0; i < repeats; ++i) enqueue(op);
    op.enqueue([this](cudaStream_t stream) { return cudaEventRecord(end_, stream); });
    must(op.finish() == KR_OK, text_);
    must(cudaEventSynchronize(end_) == cudaSuccess, "synchronize");
    float milliseconds = 0;
    cudaEventElapsedTime(&milliseconds, begin_, end_);
    return static_cast<double>(milliseconds) * 1e-3 / repeats;
  }
  char text_[512] = "";
  kr_call call_{};
  cudaEvent_t begin_{}, end_{};
};

// |C - exact|_F / |exact|_F with `exact` in f64.
double error_of(const std::vector<float>& c, const std::vector<double>& exact) {
  double difference = 0, size = 0;
  for (std::size_t e = 0; e < exact.size(); ++e) {
    difference += (c[e] - exact[e]) * (c[e] - exact[e]);
    size += exact[e] * exact[e];
  }
  return std::sqrt(difference / size);
}

template <typename T>
void time_products(Bench& bench, int64_t n, int64_t batch) {
  Matrices<T> a(batch, n), c(batch, n);
  a.write(symmetric<T>(batch, n, -1));
  const double flops = 2.0 * static_cast<double>(batch) * static_cast<double>(n * n * n);
  const auto report = [&](const char* what, const char* kernel, bool is_symmetric, double seconds) {
    std::printf("%-6s %s n %5lld batch %6lld  %-10s %10.1f us %9.1f GFLOP/s\n", what, sizeof(T) == 4 ? "f32" : "f64",
                static_cast<long long>(n), static_cast<long long>(batch), kernel, seconds * 1e6,
                flops / (is_symmetric ? 2 : 1) / seconds * 1e-9);
  };
  for (const bool is_symmetric : {false, true}) {
    const Product<T> product{
        .a = a.input(), .b = a.input(), .c = c.view(), .transpose_b = is_symmetric, .symmetric = is_symmetric};
    const char* const what = is_symmetric ? "gram" : "matmul";
    const auto kernel = [&](const char* name, ProductKernel which) {
      report(what, name, is_symmetric, bench.time([&](Op& op) { multiply_with(which, op, product); }));
    };
    report(what, "chosen", is_symmetric, bench.time([&](Op& op) { multiply(op, product); }));
    if (n <= 32)
      kernel("warp", n <= 8 ? ProductKernel::warp_8 : n <= 16 ? ProductKernel::warp_16 : ProductKernel::warp_32);
    kernel("tile_64", ProductKernel::tile_64);
    if (n > 64) kernel("tile_128", ProductKernel::tile_128);
  }
  if constexpr (sizeof(T) == 4) {
    PairProduct product{};
    Op scratch(bench.call(), "planes");
    product.a = pair_scratch(scratch, batch, n, n, 1);
    product.c = pair_scratch(scratch, batch, n, n, static_cast<double>(n));
    split(scratch, a.input(), product.a);
    product.b = product.a;
    for (const bool is_symmetric : {false, true}) {
      product.symmetric = is_symmetric;
      // The scratch memory belongs to an op of its own, so the timed one is not Bench::once.
      cudaEvent_t begin{}, end{};
      cudaEventCreate(&begin);
      cudaEventCreate(&end);
      const int repeats = n <= 256 ? 50 : 5;
      multiply_pairs(scratch, product);
      scratch.enqueue([=](cudaStream_t stream) { return cudaEventRecord(begin, stream); });
      for (int i = 0; i < repeats; ++i) multiply_pairs(scratch, product);
      scratch.enqueue([=](cudaStream_t stream) { return cudaEventRecord(end, stream); });
      must(scratch.finish() == KR_OK, "pairs");
      must(cudaEventSynchronize(end) == cudaSuccess, "pairs");
      float milliseconds = 0;
      cudaEventElapsedTime(&milliseconds, begin, end);
      report(is_symmetric ? "pairs/" : "pairs", "", is_symmetric, static_cast<double>(milliseconds) * 1e-3 / repeats);
    }
  }
}

// Sums of one sign show what truncation costs.
void measure_errors(Bench& bench, int64_t n) {
  for (const double low : {-1.0, 0.0}) {
    Matrices<double> a64(1, n), c64(1, n);
    Matrices<float> a(1, n), c(1, n), from_pairs(1, n);
    a64.write(symmetric<double>(1, n, low));
    a.write(symmetric<float>(1, n, low));
    {
      Op op(bench.call(), "errors");
      multiply(op, Product<double>{.a = a64.input(), .b = a64.input(), .c = c64.view()});
      multiply(op, Product<float>{.a = a.input(), .b = a.input(), .c = c.view()});
      const PairBatch pairs = pair_scratch(op, 1, n, n, 1);
      split(op, a.input(), pairs);
      multiply_pairs(op, {.a = pairs, .b = pairs, .symmetric = false, .c_matrix = from_pairs.view()});
      must(op.finish() == KR_OK && cudaStreamSynchronize(op.stream()) == cudaSuccess, "errors");
    }
    const std::vector<double> exact = c64.read();
    std::printf("error n %5lld from [%2.0f, 1): f32 %.2e pairs %.2e\n", static_cast<long long>(n), low,
                error_of(c.read(), exact), error_of(from_pairs.read(), exact));
  }
}

}  // namespace
}  // namespace kronroot::cuda

int main(int count, char** arguments) {
  using namespace kronroot::cuda;
  Bench bench;
  std::vector<int64_t> orders(std::begin(kOrders), std::end(kOrders));
  if (count > 1) {
    orders.clear();
    for (int i = 1; i < count; ++i) orders.push_back(std::atoll(arguments[i]));
  }
  for (const int64_t n : orders) {
    // 2^25 elements, and one matrix alone.
    for (const int64_t batch : {std::clamp<int64_t>((int64_t{1} << 25) / (n * n), 1, 1 << 15), int64_t{1}}) {
      time_products<float>(bench, n, batch);
      time_products<double>(bench, n, batch);
      if (batch == 1) break;
    }
    measure_errors(bench, n);
  }
}
