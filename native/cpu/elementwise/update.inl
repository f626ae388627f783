// One step of an elementwise rule (elementwise_update in ops.h), a vector of elements at a time. All products that are
// added go through an explicit fma, so that an element has the same bits wherever it lies.
#pragma once

#include "../../include/kronroot/ops.h"
#include "../isa/lanes.inl"
#include "sigmoid.inl"

namespace kronroot::cpu {
namespace {
namespace elementwise {

// Arrays that a step goes through; null where absent.
template <typename T>
struct Streams {
  const T* gradient;
  T *m, *v, *v_max, *direction, *w;
};

template <typename T>
inline Streams<T> streams_of(const kr_update_array& array, int64_t first) {
  const auto at = [first](void* data) { return data == nullptr ? nullptr : static_cast<T*>(data) + first; };
  return {static_cast<const T*>(array.gradient) + first,
          at(array.m),
          at(array.v),
          at(array.v_max),
          at(array.direction),
          at(array.w)};
}

// x decay + y, as x kept + (x rest + y): of a decay close to 1 the difference is what matters, 1 - 0.999 rounded to f32
// is right to an ulp of 0.001 and 0.999 is not; and all rounding but the last is as small as the difference.
template <typename T>
class Decay {
 public:
  explicit Decay(double decay) : kept_(decay > 0.5), rest_(static_cast<T>(kept_ ? decay - 1 : decay)) {}
  Vec<T> plus(Vec<T> x, Vec<T> y) const {
    const Vec<T> change = fma(broadcast(rest_), x, y);
    return kept_ ? x + change : change;
  }

 private:
  bool kept_;
  T rest_;
};

// An epsilon that T cannot hold must still keep 0 / (0 + epsilon) from being 0 / 0.
template <typename T>
inline T not_vanished(double epsilon) {
  const T rounded = static_cast<T>(epsilon);
  return epsilon > 0 && rounded == 0 ? from_bits<T>(IntVec<T>{} + 1)[0] : rounded;
}

// The numbers of kr_update_array in the type of the elements.
template <typename T>
struct Numbers {
  explicit Numbers(const kr_update_array& a)
      : m_decay(a.m_decay),
        v_decay(a.v_decay),
        l2(static_cast<T>(a.l2)),
        m_weight(static_cast<T>(a.m_weight)),
        v_weight(static_cast<T>(a.v_weight)),
        from_gradient(static_cast<T>(a.from_gradient)),
        from_m(static_cast<T>(a.from_m)),
        v_scale(static_cast<T>(a.v_scale)),
        epsilon_inside(static_cast<T>(a.epsilon_inside)),
        epsilon(not_vanished<T>(a.epsilon)),
        lr(static_cast<T>(a.lr)),
        shrinkage(static_cast<T>(a.shrinkage)),
        is_bounded(a.lower < a.upper),
        lower(static_cast<T>(a.lower)),
        upper(static_cast<T>(a.upper)) {}

  Decay<T> m_decay, v_decay;
  T l2, m_weight, v_weight, from_gradient, from_m, v_scale, epsilon_inside, epsilon, lr, shrinkage;
  bool is_bounded;
  T lower, upper;
};

// Whether a kind moves m.
constexpr bool changes_m(int32_t kind) { return kind != KR_UPDATE_COMBINE && kind != KR_UPDATE_PRODUCT; }

// How a step gets at its elements: a whole vector of them, or the first `count` lanes of one.
template <typename T>
struct WholeVector {
  Vec<T> read(const T* from) const { return load(from); }
  void write(T* to, Vec<T> value) const { store(to, value); }
  Vec<T> live(Vec<T> value) const { return value; }
};
template <typename T>
struct FirstLanes {
  int count;
  Vec<T> read(const T* from) const { return load_first(from, count); }
  void write(T* to, Vec<T> value) const { store_first(to, value, count); }
  Vec<T> live(Vec<T> value) const { return select<T>(first_lanes<T>(count), value, Vec<T>{}); }
};

// NaN where one of them is.
template <typename T>
inline Vec<T> larger(Vec<T> a, Vec<T> b) {
  return select<T>((a > b) | (a != a), a, b);
}

// -1, 1, or v itself where it is 0 or NaN.
template <typename T>
inline Vec<T> sign(Vec<T> v) {
  return select<T>((v > Vec<T>{}) | (v < Vec<T>{}), copy_sign<T>(broadcast(T{1}), v), v);
}

// D where it is asked to lie; NaN stays NaN.
template <typename T>
inline Vec<T> bounded(const Numbers<T>& numbers, Vec<T> d) {
  if (!numbers.is_bounded) return d;
  const Vec<T> lower = broadcast(numbers.lower), upper = broadcast(numbers.upper);
  return select<T>(d < lower, lower, select<T>(d > upper, upper, d));
}

// Elements from number i on. Returns 0 in every lane whose G and whose results are finite, NaN in the others.
template <typename T, int32_t Kind, typename Access>
inline Vec<T> step(const Streams<T>& s, const Numbers<T>& numbers, int64_t i, const Access& access) {
  Vec<T> witness{};
  const auto see = [&witness](Vec<T> value) { witness = fma(value, Vec<T>{}, witness); };
  const auto read = [i, &access](const T* from) { return from == nullptr ? Vec<T>{} : access.read(from + i); };
  const auto write = [i, &access, &see](T* to, Vec<T> value) {
    if (to == nullptr) return;
    access.write(to + i, value);
    see(value);
  };
  const Vec<T> w = read(s.w), old_m = read(s.m);
  Vec<T> g = read(s.gradient);
  if (s.w != nullptr && numbers.l2 != 0) g = fma(broadcast(numbers.l2), w, g);
  see(g);

  Vec<T> m = old_m;
  if (changes_m(Kind) && s.m != nullptr) {
    m = numbers.m_decay.plus(old_m, broadcast(numbers.m_weight) * g);
    write(s.m, m);
  }
  Vec<T> d = broadcast(numbers.from_gradient) * g;
  if constexpr (Kind == KR_UPDATE_PRODUCT) {
    d = bounded(numbers, d * old_m);
  } else if constexpr (Kind == KR_UPDATE_GATE) {
    d = read(s.v) * sigmoid<T>(absolute<T>(g - old_m));
  } else if (s.m != nullptr) {
    d = fma(broadcast(numbers.from_m), Kind == KR_UPDATE_SIGN ? old_m : m, d);
  }
  if constexpr (Kind == KR_UPDATE_SIGN) d = sign<T>(d);
  if constexpr (Kind == KR_UPDATE_MAX) {
    const Vec<T> size = broadcast(numbers.v_weight) * absolute<T>(g);
    const Vec<T> v = larger<T>(numbers.v_decay.plus(read(s.v), Vec<T>{}), size);
    write(s.v, v);
    d = d / fma(broadcast(numbers.v_scale), v, broadcast(numbers.epsilon));
  }
  if constexpr (Kind == KR_UPDATE_QUOTIENT) {
    const Vec<T> size = broadcast(numbers.v_scale) * absolute<T>(read(s.v));
    d = bounded(numbers, d / larger<T>(size, broadcast(numbers.epsilon)));
  }
  if constexpr (Kind == KR_UPDATE_ADAM) {
    // weight g times g: the square alone may overflow where the product does not.
    Vec<T> v = numbers.v_decay.plus(read(s.v), broadcast(numbers.v_weight) * g * g);
    write(s.v, v);
    if (s.v_max != nullptr) {
      v = larger<T>(read(s.v_max), v);
      write(s.v_max, v);
    }
    const Vec<T> radicand = fma(broadcast(numbers.v_scale), v, broadcast(numbers.epsilon_inside));
    d = d / (square_root(radicand) + broadcast(numbers.epsilon));
  }
  write(s.direction, d);
  if (s.w != nullptr) write(s.w, w - fma(broadcast(numbers.lr), d, broadcast(numbers.shrinkage) * w));
  return access.live(witness);
}

template <typename T, int32_t Kind>
bool update(const kr_update_array& array, int64_t first, int64_t count) {
  constexpr int kStep = kWidth<T>;
  const Streams<T> s = streams_of<T>(array, first);
  const Numbers<T> numbers(array);
  Vec<T> witness{};
  int64_t i = 0;
  for (; i + kStep <= count; i += kStep) witness += step<T, Kind>(s, numbers, i, WholeVector<T>{});
  if (i < count) witness += step<T, Kind>(s, numbers, i, FirstLanes<T>{static_cast<int>(count - i)});
  return sum<T>(witness) == 0;
}

template <typename T>
bool update(int32_t kind, const kr_update_array& array, int64_t first, int64_t count) {
  switch (kind) {
    case KR_UPDATE_COMBINE:
      return update<T, KR_UPDATE_COMBINE>(array, first, count);
    case KR_UPDATE_MOMENTUM:
      return update<T, KR_UPDATE_MOMENTUM>(array, first, count);
    case KR_UPDATE_SIGN:
      return update<T, KR_UPDATE_SIGN>(array, first, count);
    case KR_UPDATE_ADAM:
      return update<T, KR_UPDATE_ADAM>(array, first, count);
    case KR_UPDATE_MAX:
      return update<T, KR_UPDATE_MAX>(array, first, count);
    case KR_UPDATE_QUOTIENT:
      return update<T, KR_UPDATE_QUOTIENT>(array, first, count);
    case KR_UPDATE_PRODUCT:
      return update<T, KR_UPDATE_PRODUCT>(array, first, count);
    default:
      return update<T, KR_UPDATE_GATE>(array, first, count);
  }
}

}  // namespace elementwise
}  // namespace
}  // namespace kronroot::cpu
