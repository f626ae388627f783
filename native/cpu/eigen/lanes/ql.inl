// Implicit QL iteration on a symmetric tridiagonal matrix in every lane (the recurrence of ../ql.inl). Every lane has a
// block [L, M] of its own, and all lanes make sweep number s together: sweeps cost the most that a lane needs in total,
// not the sum of what the slowest needs for each eigenvalue. A lane outside its block rotates by the identity.
#pragma once

#include "rotations.inl"

namespace kronroot::cpu {
namespace {
namespace eigen_lanes {

// d and e of every lane; e[-1] may be read. A coupling is negligible below a quarter ulp of the norm, or below an ulp
// of its diagonal neighbours.
template <typename T>
struct LaneTridiagonal {
  int64_t n;
  T* d;
  T* e;
  Vec<T> least;  // |e| at most this is negligible

  Mask<T> is_negligible(Vec<T> e_i, Vec<T> d_i, Vec<T> d_next) const {
    constexpr T kUlp = sizeof(T) == 4 ? T(0x1p-23) : T(0x1p-52);
    const Vec<T> beside = kUlp * (absolute<T>(d_i) + absolute<T>(d_next));
    return absolute<T>(e_i) <= maximum<T>(least, beside);
  }
};

template <typename T>
LaneTridiagonal<T> lane_tridiagonal(int64_t n, T* d, T* e) {
  constexpr T kUlp = sizeof(T) == 4 ? T(0x1p-23) : T(0x1p-52);
  Vec<T> norm{};
  for (int64_t i = 0; i < n; ++i) {
    norm = maximum<T>(absolute<T>(load(d + i * kWidth<T>)) + absolute<T>(load(e + i * kWidth<T>)), norm);
  }
  store(e - kWidth<T>, Vec<T>{});
  return {n, d, e, norm * (kUlp / 4)};
}

template <typename T, int Half, int... I>
inline int64_t largest_of_halves(IntVec<T> v, std::integer_sequence<int, I...> lanes) {
  if constexpr (Half == 0) {
    return static_cast<int64_t>(v[0]);
  } else {
    const IntVec<T> other = __builtin_shufflevector(v, v, (I ^ Half)...);
    return largest_of_halves<T, Half / 2>(v > other ? v : other, lanes);
  }
}

// The largest and the least of all lanes.
template <typename T>
inline int64_t largest_lane(IntVec<T> v) {
  return largest_of_halves<T, kWidth<T> / 2>(v, std::make_integer_sequence<int, kWidth<T>>{});
}
template <typename T>
inline int64_t least_lane(IntVec<T> v) {
  return -largest_lane<T>(-v);
}

template <typename T>
inline IntVec<T> all_lanes(int64_t i) {
  return IntVec<T>{} + static_cast<typename Bits<T>::type>(i);
}

// The blocks of the lanes; L = n - 1 where all eigenvalues have been found.
template <typename T>
struct LaneBlocks {
  IntVec<T> low, high;
};

// Moves every lane whose block is used up (low >= high) to its next block: low past all negligible couplings, high to
// the first negligible one after it. Couplings passed over become zero, so that a lane at the end of its matrix rotates
// by the identity of itself.
template <typename T>
void next_blocks(const LaneTridiagonal<T>& t, LaneBlocks<T>* blocks) {
  constexpr int W = kWidth<T>;
  const IntVec<T> last = all_lanes<T>(t.n - 1);
  const Mask<T> searching = (blocks->low >= blocks->high) & (blocks->low < last);
  if (!any<T>(searching)) return;
  IntVec<T> low = blocks->low, high = searching ? last : blocks->high;
  Mask<T> open = searching;  // the end of the block has not been met
  for (int64_t i = least_lane<T>(searching ? low : last); i < t.n - 1; ++i) {
    const IntVec<T> here = all_lanes<T>(i);
    const Vec<T> e = load(t.e + i * W);
    const Mask<T> small = t.is_negligible(e, load(t.d + i * W), load(t.d + (i + 1) * W)) & open & (low <= here);
    const Mask<T> leading = small & (low == here);
    low = leading ? here + 1 : low;
    const Mask<T> closing = small & ~leading;
    high = closing ? here : high;
    open &= ~closing;
    store(t.e + i * W, select<T>(small, Vec<T>{}, e));
  }
  blocks->low = low;
  blocks->high = high;
}

// The state of a sweep between two rotations; see ../ql.inl.
template <typename T>
struct Bulge {
  Vec<T> g, f, f_squared, b, p;
  Vec<T> d_above;  // d[i + 2] as the sweep left it
};

// What one rotation gives.
template <typename T>
struct Rotated {
  Vec<T> root, d_above, cosine, sine;
};

// Rotation i. Below kTiny what is left to rotate is far below rounding, and the rotation is the identity.
template <typename T>
[[gnu::always_inline]] inline Rotated<T> rotate(Bulge<T>& s, Vec<T> d, Vec<T> d_next, Vec<T> next) {
  constexpr T kTiny = sizeof(T) == 4 ? T(1e-30) : T(1e-200);
  const Vec<T> one = broadcast(T{1}), zero{};
  const Vec<T> square = fma(s.g, s.g, s.f_squared);
  const Mask<T> tiny = square < broadcast(kTiny);
  const Vec<T> safe = select<T>(tiny, one, square);
  const Vec<T> inverse = reciprocal(safe), scale = reciprocal_root(safe);
  const Vec<T> size = absolute<T>(s.g), above = d_next - s.p;
  const Vec<T> k = fma(d - above, s.f, (s.b + s.b) * size);
  const Vec<T> f_next = s.f * next, b_next = size * next, scaled = k * inverse;
  Rotated<T> rotated;
  rotated.root = select<T>(tiny, zero, copy_sign<T>(square * scale, s.g));
  rotated.cosine = select<T>(tiny, one, size * scale);
  rotated.sine = select<T>(tiny, zero, s.f * scale);
  s.p = select<T>(tiny, zero, s.f * scaled);
  rotated.d_above = above + s.p;
  s.g = select<T>(tiny, s.b, fma(size, scaled, -s.b));
  s.f_squared = select<T>(tiny, zero, f_next * f_next * inverse);
  const Vec<T> signed_f = from_bits<T>(bits_of<T>(f_next * scale) ^ (bits_of<T>(s.g) ^ magnitude_bits<T>(s.g)));
  s.f = select<T>(tiny, zero, signed_f);
  s.b = select<T>(tiny, next, b_next * scale);
  return rotated;
}

// Wilkinson's shift at the upper end of each block, as d[high] - shift.
template <typename T>
inline Vec<T> shifted_ends(const LaneTridiagonal<T>& t, const LaneBlocks<T>& blocks, Mask<T> alive) {
  constexpr typename Bits<T>::type W = kWidth<T>;
  const IntVec<T> lane = lane_numbers<T>(std::make_integer_sequence<int, kWidth<T>>{});
  const IntVec<T> at = (alive ? blocks.low : IntVec<T>{}) * W + lane;
  const IntVec<T> after = alive ? at + W : at, end = (alive ? blocks.high : IntVec<T>{}) * W + lane;
  const Vec<T> one = broadcast(T{1});
  const Vec<T> d_low = gather(t.d, at), e_low = select<T>(alive, gather(t.e, at), one);
  const Vec<T> g = (gather(t.d, after) - d_low) / (e_low + e_low);
  const Vec<T> r = square_root(fma(g, g, one));
  return gather(t.d, end) - d_low + e_low / (g + copy_sign<T>(r, g));
}

// t and -s of the shears that make the rotation (../rotations.inl); the sine belongs to t as rounded.
template <typename T, typename Recorder>
[[gnu::always_inline]] inline void record_shears(Recorder& recorder, int64_t i, const Rotated<T>& rotated) {
  const Vec<T> one = broadcast(T{1});
  const Vec<T> t = rotated.sine * reciprocal(one + rotated.cosine);
  recorder.record(i, t, (t + t) * -reciprocal(fma(t, t, one)));
}

// One sweep of every lane over its block.
template <typename T, typename Recorder>
[[gnu::noinline]] void sweep_lanes(const LaneTridiagonal<T>& t, LaneBlocks<T>* blocks, Recorder& recorder) {
  constexpr int W = kWidth<T>;
  const Mask<T> alive = blocks->low < blocks->high;
  const IntVec<T> low = blocks->low, high = blocks->high;
  const IntVec<T> live_low = alive ? low : IntVec<T>{}, live_high = alive ? high : IntVec<T>{};
  const int64_t bottom = least_lane<T>(alive ? low : all_lanes<T>(t.n)), top = largest_lane<T>(live_high);
  const int64_t most_low = largest_lane<T>(live_low), least_high = least_lane<T>(alive ? high : all_lanes<T>(t.n));
  const Vec<T> start = shifted_ends(t, *blocks, alive);
  IntVec<T> split = high, next_low = low;
  Bulge<T> s{};
  recorder.open(bottom);
  for (int64_t i = top - 1; i >= bottom; --i) {
    const IntVec<T> here = all_lanes<T>(i);
    T* d = t.d + i * W;
    T* e = t.e + i * W;
    if (i + 1 < least_high && i > most_low) {  // inside every block
      const Rotated<T> rotated = rotate(s, load(d), load(d + W), load(e - W));
      store(e + W, rotated.root);
      store(d + W, rotated.d_above);
      const Mask<T> small = t.is_negligible(rotated.root, rotated.d_above, s.d_above);
      split = small ? here + 1 : split;
      s.d_above = rotated.d_above;
      record_shears(recorder, i, rotated);
      continue;
    }
    const Mask<T> active = alive & (low <= here) & (here < high), starts = active & (here + 1 == high);
    const Vec<T> coupling = load(e), zero{};
    s.g = select<T>(starts, start, s.g);
    s.b = select<T>(starts, coupling, s.b);
    s.f_squared = select<T>(starts, coupling * coupling, s.f_squared);
    const Vec<T> signed_coupling = from_bits<T>(bits_of<T>(coupling) ^ (bits_of<T>(start) ^ magnitude_bits<T>(start)));
    s.f = select<T>(starts, signed_coupling, s.f);
    s.p = select<T>(starts, zero, s.p);
    const Mask<T> ends = active & (low == here);
    Rotated<T> rotated = rotate(s, load(d), load(d + W), select<T>(ends, zero, load(e - W)));
    // e[high] is no coupling of this block.
    const Vec<T> root = select<T>(starts, zero, rotated.root);
    store(e + W, select<T>(active, root, load(e + W)));
    store(d + W, select<T>(active, rotated.d_above, load(d + W)));
    const Mask<T> small = t.is_negligible(rotated.root, rotated.d_above, s.d_above) & active & ~starts;
    split = small ? here + 1 : split;
    s.d_above = rotated.d_above;
    const Vec<T> d_low = load(d) - s.p;
    store(d, select<T>(ends, d_low, load(d)));
    const Mask<T> found = ends & t.is_negligible(s.g, d_low, rotated.d_above);
    store(e, select<T>(ends, select<T>(found, zero, s.g), load(e)));
    next_low = found ? here + 1 : next_low;
    rotated.cosine = select<T>(active, rotated.cosine, broadcast(T{1}));
    rotated.sine = select<T>(active, rotated.sine, zero);
    record_shears(recorder, i, rotated);
  }
  blocks->low = next_low;
  blocks->high = split;
}

// Sweeps that one lane may take; 1.7 n are usual.
constexpr int64_t most_lane_sweeps(int64_t n) { return 60 * n; }

// d becomes the eigenvalues, unsorted. sweeps: of every lane, -1 where it did not converge.
template <typename T, typename Recorder>
void ql_lanes(int64_t n, T* d, T* e, Recorder& recorder, int64_t* sweeps) {
  const LaneTridiagonal<T> t = lane_tridiagonal(n, d, e);
  LaneBlocks<T> blocks{};
  IntVec<T> done{};
  for (int64_t sweep = 0;; ++sweep) {
    next_blocks(t, &blocks);
    const Mask<T> alive = blocks.low < blocks.high;
    if (!any<T>(alive)) break;
    if (sweep == most_lane_sweeps(n)) {
      done = alive ? IntVec<T>{} - 1 : done;
      break;
    }
    done -= alive;  // a set lane is -1
    sweep_lanes(t, &blocks, recorder);
  }
  for (int l = 0; l < kWidth<T>; ++l) sweeps[l] = static_cast<int64_t>(done[l]);
}

}  // namespace eigen_lanes
}  // namespace
}  // namespace kronroot::cpu
