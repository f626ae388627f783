// Random signs for probe vectors: a pure function of (stream, index), so results depend neither on threads
// nor on where in a batch a matrix stands.
#pragma once

#include <cstdint>

namespace kronroot {

// 64 well-mixed bits of a counter: the SplitMix64 generator jumped to position `counter` of the stream.
// Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014; mixing constants:
// Stafford's variant 13 of the MurmurHash3 finaliser.
constexpr uint64_t random_bits(uint64_t stream, uint64_t counter) {
  uint64_t z = stream + (counter + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The stream of the residual probes in reports.
inline constexpr uint64_t probe_stream = 0x6b726f6e726f6f74u;  // "kronroot"

// Element `index` of a probe vector z: +1 or -1 with equal chance. E |B z|^2 = |B|_F^2 for every B, hence
// |B z| / |z| estimates |B|_F / sqrt(n) (Hutchinson 1990; Avron and Toledo, J. ACM 58 (2011)).
constexpr double random_sign(uint64_t stream, uint64_t index) { return random_bits(stream, index) >> 63 ? -1.0 : 1.0; }

}  // namespace kronroot
