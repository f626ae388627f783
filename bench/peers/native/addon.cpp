// N-API face of the peers: open(file, threads), peak(...), and one function per route over a batch, one matrix per
// thread. Typed arrays go in and out; the caller, bench/peers/openblas.ts, sizes them.
#include <node_api.h>

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "openblas.hpp"
#include "peak.hpp"
#include "routes.hpp"
#include "workers.hpp"

namespace kronroot::bench {
namespace {

struct Session {
  Openblas openblas;
  Workers workers;
  std::vector<Routes<float>> f32;
  std::vector<Routes<double>> f64;

  Session(const std::string& file, int threads)
      : openblas(open_openblas(file)),
        workers(threads),
        f32(threads, Routes<float>(openblas)),
        f64(threads, Routes<double>(openblas)) {}
  std::vector<Routes<float>>& routes(float) { return f32; }
  std::vector<Routes<double>>& routes(double) { return f64; }
};

std::unique_ptr<Session> session;

class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) : env_(env), values_(12) {
    std::size_t count = values_.size();
    napi_get_cb_info(env, info, &count, values_.data(), nullptr, nullptr);
    values_.resize(count);
  }

  double number(std::size_t index) const {
    double value = 0;
    if (napi_get_value_double(env_, at(index), &value) != napi_ok) throw std::runtime_error("expected a number");
    return value;
  }

  BlasInt integer(std::size_t index) const { return static_cast<BlasInt>(number(index)); }

  std::string text(std::size_t index) const {
    std::size_t length = 0;
    if (napi_get_value_string_utf8(env_, at(index), nullptr, 0, &length) != napi_ok)
      throw std::runtime_error("expected a string");
    std::string value(length, '\0');
    napi_get_value_string_utf8(env_, at(index), value.data(), length + 1, &length);
    return value;
  }

  bool is_f64(std::size_t index) const { return array(index, std::nullopt).type == napi_float64_array; }

  // Elements of a typed array of T that holds at least `count` of them.
  template <typename T>
  T* elements(std::size_t index, std::int64_t count) const {
    const Array found = array(index, sizeof(T) == 8 ? napi_float64_array : napi_float32_array);
    if (static_cast<std::int64_t>(found.length) < count) throw std::runtime_error("typed array too short");
    return static_cast<T*>(found.data);
  }

 private:
  struct Array {
    napi_typedarray_type type;
    std::size_t length;
    void* data;
  };

  napi_value at(std::size_t index) const {
    if (index >= values_.size()) throw std::runtime_error("too few arguments");
    return values_[index];
  }

  Array array(std::size_t index, std::optional<napi_typedarray_type> wanted) const {
    Array found{};
    if (napi_get_typedarray_info(env_, at(index), &found.type, &found.length, &found.data, nullptr, nullptr) != napi_ok)
      throw std::runtime_error("expected a typed array");
    if (wanted && found.type != *wanted) throw std::runtime_error("typed arrays of one call must be of one type");
    return found;
  }

  napi_env env_;
  std::vector<napi_value> values_;
};

napi_value text_value(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.c_str(), text.size(), &value);
  return value;
}

napi_value number_value(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

Session& opened() {
  if (!session) throw std::runtime_error("OpenBLAS is not open");
  return *session;
}

// open(file, threads) -> { file, core, config }
napi_value open(napi_env env, const Arguments& arguments) {
  session.reset();
  session = std::make_unique<Session>(arguments.text(0), arguments.integer(1));
  napi_value result = nullptr;
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "file", text_value(env, session->openblas.file));
  napi_set_named_property(env, result, "core", text_value(env, session->openblas.core));
  napi_set_named_property(env, result, "config", text_value(env, session->openblas.config));
  return result;
}

// peak(isa, bits, threads, seconds) -> flop/s of all threads at once, 0 where there are no such instructions
napi_value peak(napi_env env, const Arguments& arguments) {
  const std::string isa = arguments.text(0);
  const int bits = arguments.integer(1);
  const int threads = arguments.integer(2);
  const double seconds = arguments.number(3);
  std::vector<double> rates(threads);
  Workers(threads).run(threads, [&](std::int64_t item, int) { rates[item] = measured_peak(isa, bits, seconds); });
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return number_value(env, sum);
}

// setAlone(1 or 0): jobs on the caller's thread alone, or on all threads
napi_value set_alone(napi_env, const Arguments& arguments) {
  opened().workers.set_alone(arguments.integer(0) != 0);
  return nullptr;
}

// gemm(a, b, c, m, n, k, batch)
template <typename T>
void gemm(const Arguments& arguments) {
  const std::int64_t m = arguments.integer(3), n = arguments.integer(4), k = arguments.integer(5);
  const std::int64_t batch = arguments.integer(6);
  const T* a = arguments.elements<T>(0, batch * m * k);
  const T* b = arguments.elements<T>(1, batch * k * n);
  T* c = arguments.elements<T>(2, batch * m * n);
  auto& routes = opened().routes(T{});
  opened().workers.run(batch, [&](std::int64_t i, int thread) {
    routes[thread].gemm(a + i * m * k, b + i * k * n, c + i * m * n, m, n, k);
  });
}

// eigh(a, values, vectors, n, batch)
template <typename T>
void eigh(const Arguments& arguments) {
  const std::int64_t n = arguments.integer(3), batch = arguments.integer(4);
  const T* a = arguments.elements<T>(0, batch * n * n);
  T* values = arguments.elements<T>(1, batch * n);
  T* vectors = arguments.elements<T>(2, batch * n * n);
  auto& routes = opened().routes(T{});
  opened().workers.run(batch, [&](std::int64_t i, int thread) {
    routes[thread].eigh(a + i * n * n, values + i * n, vectors + i * n * n, n);
  });
}

// inverseRoot(a, x, n, batch, exponent, ridge)
template <typename T>
void inverse_root(const Arguments& arguments) {
  const std::int64_t n = arguments.integer(2), batch = arguments.integer(3);
  const double exponent = arguments.number(4), ridge = arguments.number(5);
  const T* a = arguments.elements<T>(0, batch * n * n);
  T* x = arguments.elements<T>(1, batch * n * n);
  auto& routes = opened().routes(T{});
  opened().workers.run(batch, [&](std::int64_t i, int thread) {
    routes[thread].inverse_root(a + i * n * n, x + i * n * n, n, exponent, ridge);
  });
}

// spdInverse(a, x, n, batch)
template <typename T>
void spd_inverse(const Arguments& arguments) {
  const std::int64_t n = arguments.integer(2), batch = arguments.integer(3);
  const T* a = arguments.elements<T>(0, batch * n * n);
  T* x = arguments.elements<T>(1, batch * n * n);
  auto& routes = opened().routes(T{});
  opened().workers.run(
      batch, [&](std::int64_t i, int thread) { routes[thread].spd_inverse(a + i * n * n, x + i * n * n, n); });
}

// qr(a, q, r, m, n, batch)
template <typename T>
void qr(const Arguments& arguments) {
  const std::int64_t m = arguments.integer(3), n = arguments.integer(4), batch = arguments.integer(5);
  const T* a = arguments.elements<T>(0, batch * m * n);
  T* q = arguments.elements<T>(1, batch * m * n);
  T* r = arguments.elements<T>(2, batch * m * n);
  auto& routes = opened().routes(T{});
  opened().workers.run(
      batch, [&](std::int64_t i, int thread) { routes[thread].qr(a + i * m * n, q + i * m * n, r + i * m * n, m, n); });
}

// svd(a, s, u, v, n, batch)
template <typename T>
void svd(const Arguments& arguments) {
  const std::int64_t n = arguments.integer(4), batch = arguments.integer(5);
  const T* a = arguments.elements<T>(0, batch * n * n);
  T* s = arguments.elements<T>(1, batch * n);
  T* u = arguments.elements<T>(2, batch * n * n);
  T* v = arguments.elements<T>(3, batch * n * n);
  auto& routes = opened().routes(T{});
  opened().workers.run(batch, [&](std::int64_t i, int thread) {
    routes[thread].svd(a + i * n * n, s + i * n, u + i * n * n, v + i * n * n, n);
  });
}

// singularValues(a, s, n, batch)
template <typename T>
void singular_values(const Arguments& arguments) {
  const std::int64_t n = arguments.integer(2), batch = arguments.integer(3);
  const T* a = arguments.elements<T>(0, batch * n * n);
  T* s = arguments.elements<T>(1, batch * n);
  auto& routes = opened().routes(T{});
  opened().workers.run(
      batch, [&](std::int64_t i, int thread) { routes[thread].singular_values(a + i * n * n, s + i * n, n); });
}

// triangularSolve(l, b, x, n, columns, batch)
template <typename T>
void triangular_solve(const Arguments& arguments) {
  const std::int64_t n = arguments.integer(3), columns = arguments.integer(4), batch = arguments.integer(5);
  const T* l = arguments.elements<T>(0, batch * n * n);
  const T* b = arguments.elements<T>(1, batch * n * columns);
  T* x = arguments.elements<T>(2, batch * n * columns);
  auto& routes = opened().routes(T{});
  opened().workers.run(batch, [&](std::int64_t i, int thread) {
    routes[thread].triangular_solve(l + i * n * n, b + i * n * columns, x + i * n * columns, n, columns);
  });
}

// newtonSchulz(a, x, rows, cols, batch, triples, steps)
template <typename T>
void newton_schulz(const Arguments& arguments) {
  const std::int64_t rows = arguments.integer(2), cols = arguments.integer(3), batch = arguments.integer(4);
  const int steps = arguments.integer(6);
  const T* a = arguments.elements<T>(0, batch * rows * cols);
  T* x = arguments.elements<T>(1, batch * rows * cols);
  const double* triples = arguments.elements<double>(5, 3 * steps);
  auto& routes = opened().routes(T{});
  opened().workers.run(batch, [&](std::int64_t i, int thread) {
    routes[thread].newton_schulz(a + i * rows * cols, x + i * rows * cols, rows, cols, triples, steps);
  });
}

template <void (*f32)(const Arguments&), void (*f64)(const Arguments&)>
napi_value by_type(napi_env, const Arguments& arguments) {
  (arguments.is_f64(0) ? f64 : f32)(arguments);
  return nullptr;
}

template <napi_value (*function)(napi_env, const Arguments&)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return function(env, Arguments(env, info));
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
    return nullptr;
  }
}

template <napi_value (*function)(napi_env, const Arguments&)>
void define(napi_env env, napi_value exports, const char* name) {
  napi_value value = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, guarded<function>, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

}  // namespace
}  // namespace kronroot::bench

NAPI_MODULE_INIT() {
  using namespace kronroot::bench;
  define<open>(env, exports, "open");
  define<peak>(env, exports, "peak");
  define<set_alone>(env, exports, "setAlone");
  define<by_type<gemm<float>, gemm<double>>>(env, exports, "gemm");
  define<by_type<eigh<float>, eigh<double>>>(env, exports, "eigh");
  define<by_type<inverse_root<float>, inverse_root<double>>>(env, exports, "inverseRoot");
  define<by_type<spd_inverse<float>, spd_inverse<double>>>(env, exports, "spdInverse");
  define<by_type<qr<float>, qr<double>>>(env, exports, "qr");
  define<by_type<svd<float>, svd<double>>>(env, exports, "svd");
  define<by_type<singular_values<float>, singular_values<double>>>(env, exports, "singularValues");
  define<by_type<triangular_solve<float>, triangular_solve<double>>>(env, exports, "triangularSolve");
  define<by_type<newton_schulz<float>, newton_schulz<double>>>(env, exports, "newtonSchulz");
  return exports;
}
