// One step of an elementwise rule over many arrays (elementwise_update in ops.h): one launch for as many arrays as the
// parameters of a kernel hold, a block a chunk, a thread 16 bytes of every array at a time. Bound by memory: each array
// is read and written once. All products that are added go through an explicit fma, so that an element has the same
// bits wherever it lies. No shared memory.
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>

#include "../core/check.hpp"
#include "array_table.cuh"
#include "decay.cuh"
#include "ops.hpp"

namespace kronroot::cuda {
namespace {

// An array with its numbers in the type of its elements; arrays that are left out are null.
template <typename T>
struct Update {
  int64_t count;
  Global<const T> gradient;
  Global<T> m, v, v_max, direction, w;
  Decay<T> m_decay, v_decay;
  T l2, m_weight, v_weight, from_gradient, from_m, v_scale, epsilon_inside, epsilon, lr, shrinkage;
  T lower, upper;
  bool is_bounded, is_aligned;
};

template <typename T>
Global<T> array_at(void* data) {
  return Global<T>(static_cast<T*>(data));
}

// An epsilon that T cannot hold must still keep 0 / (0 + epsilon) from being 0 / 0.
template <typename T>
T not_vanished(double epsilon) {
  const T rounded = static_cast<T>(epsilon);
  return epsilon > 0 && rounded == 0 ? std::numeric_limits<T>::denorm_min() : rounded;
}

template <typename T>
Update<T> update_of(const kr_update_array& a) {
  Update<T> update{};
  update.count = a.count;
  update.gradient = Global<const T>(static_cast<const T*>(a.gradient));
  update.m = array_at<T>(a.m);
  update.v = array_at<T>(a.v);
  update.v_max = array_at<T>(a.v_max);
  update.direction = array_at<T>(a.direction);
  update.w = array_at<T>(a.w);
  update.m_decay = Decay<T>::of(a.m_decay);
  update.v_decay = Decay<T>::of(a.v_decay);
  update.l2 = static_cast<T>(a.l2);
  update.m_weight = static_cast<T>(a.m_weight);
  update.v_weight = static_cast<T>(a.v_weight);
  update.from_gradient = static_cast<T>(a.from_gradient);
  update.from_m = static_cast<T>(a.from_m);
  update.v_scale = static_cast<T>(a.v_scale);
  update.epsilon_inside = static_cast<T>(a.epsilon_inside);
  update.epsilon = not_vanished<T>(a.epsilon);
  update.lr = static_cast<T>(a.lr);
  update.shrinkage = static_cast<T>(a.shrinkage);
  update.lower = static_cast<T>(a.lower);
  update.upper = static_cast<T>(a.upper);
  update.is_bounded = a.lower < a.upper;
  update.is_aligned = true;
  for (const void* data :
       {a.gradient, static_cast<const void*>(a.m), static_cast<const void*>(a.v), static_cast<const void*>(a.v_max),
        static_cast<const void*>(a.direction), static_cast<const void*>(a.w)}) {
    update.is_aligned = update.is_aligned && is_vector_aligned(data);
  }
  return update;
}

// NaN where one of them is.
template <typename T>
__device__ __forceinline__ T larger(T a, T b) {
  return a > b || a != a ? a : b;
}

// -1, 1, or x itself where it is 0 or NaN.
template <typename T>
__device__ __forceinline__ T sign(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : x;
}

template <typename T>
__device__ __forceinline__ bool is_finite(T x) {
  return x - x == 0;
}

// D where it is asked to lie; NaN stays NaN.
template <typename T>
__device__ __forceinline__ T bounded(const Update<T>& u, T d) {
  return u.is_bounded ? (d < u.lower ? u.lower : d > u.upper ? u.upper : d) : d;
}

// What a kind does with the moments.
constexpr bool changes_m(int32_t kind) { return kind != KR_UPDATE_COMBINE && kind != KR_UPDATE_PRODUCT; }
constexpr bool changes_v(int32_t kind) { return kind == KR_UPDATE_ADAM || kind == KR_UPDATE_MAX; }

// One element of every array.
template <typename T>
struct Element {
  T g, m, v, v_max, direction, w;
};

// False where G or a number that will be written is not finite.
template <typename T, int32_t Kind>
__device__ __forceinline__ bool advance(const Update<T>& u, Element<T>& e) {
  const T g = u.w && u.l2 != 0 ? std::fma(u.l2, e.w, e.g) : e.g;
  bool all_finite = is_finite(g);
  const T old_m = e.m;
  if (changes_m(Kind) && u.m) {
    e.m = u.m_decay.plus(old_m, u.m_weight * g);
    all_finite = all_finite && is_finite(e.m);
  }
  T d = u.from_gradient * g;
  if constexpr (Kind == KR_UPDATE_PRODUCT) {
    d = bounded(u, d * old_m);
  } else if constexpr (Kind == KR_UPDATE_GATE) {
    d = e.v / (1 + std::exp(-std::abs(g - old_m)));
  } else if (u.m) {
    d = std::fma(u.from_m, Kind == KR_UPDATE_SIGN ? old_m : e.m, d);
  }
  if constexpr (Kind == KR_UPDATE_SIGN) d = sign(d);
  if constexpr (Kind == KR_UPDATE_MAX) {
    e.v = larger(u.v_decay.plus(e.v, T(0)), u.v_weight * std::abs(g));
    all_finite = all_finite && is_finite(e.v);
    d = d / std::fma(u.v_scale, e.v, u.epsilon);
  }
  if constexpr (Kind == KR_UPDATE_QUOTIENT) d = bounded(u, d / larger(u.v_scale * std::abs(e.v), u.epsilon));
  if constexpr (Kind == KR_UPDATE_ADAM) {
    // weight g times g: the square alone may overflow where the product does not.
    e.v = u.v_decay.plus(e.v, u.v_weight * g * g);
    T v = e.v;
    if (u.v_max) v = e.v_max = larger(e.v_max, v);
    all_finite = all_finite && is_finite(e.v) && is_finite(v);
    d = d / (std::sqrt(std::fma(u.v_scale, v, u.epsilon_inside)) + u.epsilon);
  }
  e.direction = d;
  if (u.direction) all_finite = all_finite && is_finite(d);
  if (u.w) {
    e.w = e.w - std::fma(u.lr, d, u.shrinkage * e.w);
    all_finite = all_finite && is_finite(e.w);
  }
  return all_finite;
}

template <typename T, int N>
__device__ __forceinline__ Vector<T, N> read(Global<const T> from, int64_t i) {
  return from ? load_vector<N>(from, i) : Vector<T, N>{};
}
template <typename T, int N>
__device__ __forceinline__ void write(Global<T> to, int64_t i, const Vector<T, N>& values) {
  if (to) store_vector<N>(to, i, values);
}

// Elements i .. i + N.
template <typename T, int32_t Kind, int N>
__device__ __forceinline__ bool step(const Update<T>& u, int64_t i) {
  const Vector<T, N> g = read<T, N>(u.gradient, i);
  Vector<T, N> m = read<T, N>(u.m, i), v = read<T, N>(u.v, i), v_max = read<T, N>(u.v_max, i), w = read<T, N>(u.w, i);
  Vector<T, N> direction;
  bool all_finite = true;
  for (int k = 0; k < N; ++k) {
    Element<T> e{g[k], m[k], v[k], v_max[k], 0, w[k]};
    all_finite = advance<T, Kind>(u, e) && all_finite;
    m[k] = e.m, v[k] = e.v, v_max[k] = e.v_max, direction[k] = e.direction, w[k] = e.w;
  }
  if constexpr (changes_m(Kind)) write(u.m, i, m);
  if constexpr (changes_v(Kind)) write(u.v, i, v);
  write(u.v_max, i, v_max);
  write(u.direction, i, direction);
  write(u.w, i, w);
  return all_finite;
}

// Blocks that see something that is not finite clear the flag of their array.
template <typename T, int32_t Kind>
__global__ void __launch_bounds__(chunk_threads)
    update_arrays(const __grid_constant__ ArrayTable<Update<T>> table, Global<int32_t> finite) {
  constexpr int width = elements_of_vector<T>;
  const int a = table.array_of(block_index());
  const Update<T>& u = table.entries[a];
  const int64_t first = (block_index() - table.first_chunk[a]) * chunk_elements;
  const int64_t end = u.count - first < chunk_elements ? u.count : first + chunk_elements;
  const int64_t end_of_vectors = u.is_aligned ? first + (end - first) / width * width : first;
  bool all_finite = true;
  for (int64_t i = first + thread_index() * width; i < end_of_vectors; i += chunk_threads * width) {
    all_finite = step<T, Kind, width>(u, i) && all_finite;
  }
  for (int64_t i = end_of_vectors + thread_index(); i < end; i += chunk_threads) {
    all_finite = step<T, Kind, 1>(u, i) && all_finite;
  }
  if (finite && !all_finite) finite[a] = 0;
}

__global__ void set_flags(Global<int32_t> flags, int64_t count) {
  const int64_t i = block_index() * block_threads() + thread_index();
  if (i < count) flags[i] = 1;
}

template <typename T, int32_t Kind>
void enqueue(Op& op, const kr_update_array* arrays, int64_t count, int32_t* finite) {
  const auto entry_of = [arrays](int64_t i) { return update_of<T>(arrays[i]); };
  for_each_table<Update<T>>(count, 0, entry_of, [&](const ArrayTable<Update<T>>& table, int64_t first) {
    launch<update_arrays<T, Kind>>(op, {.blocks = {table.chunks()}, .threads = chunk_threads}, table,
                                   Global<int32_t>(finite == nullptr ? nullptr : finite + first));
  });
}

template <typename T>
void enqueue(Op& op, int32_t kind, const kr_update_array* arrays, int64_t count, int32_t* finite) {
  switch (kind) {
    case KR_UPDATE_COMBINE:
      return enqueue<T, KR_UPDATE_COMBINE>(op, arrays, count, finite);
    case KR_UPDATE_MOMENTUM:
      return enqueue<T, KR_UPDATE_MOMENTUM>(op, arrays, count, finite);
    case KR_UPDATE_SIGN:
      return enqueue<T, KR_UPDATE_SIGN>(op, arrays, count, finite);
    case KR_UPDATE_ADAM:
      return enqueue<T, KR_UPDATE_ADAM>(op, arrays, count, finite);
    case KR_UPDATE_MAX:
      return enqueue<T, KR_UPDATE_MAX>(op, arrays, count, finite);
    case KR_UPDATE_QUOTIENT:
      return enqueue<T, KR_UPDATE_QUOTIENT>(op, arrays, count, finite);
    case KR_UPDATE_PRODUCT:
      return enqueue<T, KR_UPDATE_PRODUCT>(op, arrays, count, finite);
    default:
      return enqueue<T, KR_UPDATE_GATE>(op, arrays, count, finite);
  }
}

}  // namespace

kr_code elementwise_update(const kr_call* call, const kr_elementwise_update_options* given,
                           const kr_update_array* arrays, int64_t count, int32_t* finite) try {
  if (const kr_code code = check_elementwise_update(call, given, arrays, count)) return code;
  const kr_elementwise_update_options options = given == nullptr ? kr_elementwise_update_options{} : *given;
  Op op(call, "elementwise_update");
  if (finite != nullptr) {
    launch<set_flags>(op, {.blocks = {(count + chunk_threads - 1) / chunk_threads}, .threads = chunk_threads},
                      Global<int32_t>(finite), count);
  }
  options.dtype == KR_F32 ? enqueue<float>(op, options.kind, arrays, count, finite)
                          : enqueue<double>(op, options.kind, arrays, count, finite);
  return op.finish();
} catch (const std::bad_alloc&) {
  return fail(call, KR_OUT_OF_MEMORY, "no memory to check the arrays");
}

}  // namespace kronroot::cuda
