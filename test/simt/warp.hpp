// Barriers, shuffles and votes of a warp.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "block.hpp"

namespace simt {

// What the lanes give and take travels in words of 32 bits.
template <typename T>
inline constexpr int words_of = (static_cast<int>(sizeof(T)) + 3) / 4;

template <typename T>
inline void give(int word, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  uint32_t words[words_of<T>] = {};
  std::memcpy(words, &value, sizeof value);
  const int lane = Block::current().lane();
  for (int i = 0; i < words_of<T>; ++i) Block::current().warp().given[word + i][lane] = words[i];
}
template <typename T>
inline T take(int word) {
  uint32_t words[words_of<T>];
  const int lane = Block::current().lane();
  for (int i = 0; i < words_of<T>; ++i) words[i] = Block::current().warp().taken[word + i][lane];
  T value;
  std::memcpy(&value, words, sizeof value);
  return value;
}

// Word 15 holds the lane to take from.
template <int Words>
inline const char* shuffle_words(Warp& warp, uint32_t mask) {
  for (int lane = 0; lane < warp_size; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    const uint32_t source = warp.given[15][lane];
    if ((mask >> source & 1) == 0) return "shuffle from a lane outside the mask";
    for (int i = 0; i < Words; ++i) warp.taken[i][lane] = warp.given[i][source];
  }
  return nullptr;
}
// Word 0 holds the predicate.
const char* vote(Warp& warp, uint32_t mask);

template <typename T>
inline T shuffle_from(int source, T value, uint32_t mask, const Site& site) {
  static_assert(sizeof(T) <= 16);
  give(0, value);
  Block::current().warp().given[15][Block::current().lane()] = static_cast<uint32_t>(source);
  Block::current().collective(mask, &shuffle_words<words_of<T>>, site);
  return take<T>(0);
}

}  // namespace simt

namespace kronroot::cuda {

inline int lane_index();

// bar.warp.sync.
inline void sync_warp(uint32_t mask = ~0u, simt::Site site = simt::Site::current()) {
  simt::Block::current().collective(mask, nullptr, site);
}

// shfl.sync in groups of `width` lanes, a power of two. Of the distance, the lane and the flips five bits count.
// .idx: the value of lane `from` of the group.
template <typename T>
inline T shuffle(T value, int from, int width = 32, uint32_t mask = ~0u, simt::Site site = simt::Site::current()) {
  return simt::shuffle_from((lane_index() & ~(width - 1)) | (from & (width - 1)), value, mask, site);
}
// .bfly: lanes of earlier groups can be reached, those of later ones cannot: there it is the caller's own value.
template <typename T>
inline T shuffle_xor(T value, int flip, int width = 32, uint32_t mask = ~0u, simt::Site site = simt::Site::current()) {
  const int lane = lane_index(), source = lane ^ (flip & 31);
  return simt::shuffle_from(source <= (lane | (width - 1)) ? source : lane, value, mask, site);
}
// .down and .up: where there is no such lane in the group, the caller's own value.
template <typename T>
inline T shuffle_down(T value, int by, int width = 32, uint32_t mask = ~0u, simt::Site site = simt::Site::current()) {
  const int lane = lane_index(), source = lane + (by & 31);
  return simt::shuffle_from(source <= (lane | (width - 1)) ? source : lane, value, mask, site);
}
template <typename T>
inline T shuffle_up(T value, int by, int width = 32, uint32_t mask = ~0u, simt::Site site = simt::Site::current()) {
  const int lane = lane_index(), source = lane - (by & 31);
  return simt::shuffle_from(source >= (lane & ~(width - 1)) ? source : lane, value, mask, site);
}

// vote.sync.ballot, .any, .all.
inline uint32_t ballot(bool predicate, uint32_t mask = ~0u, simt::Site site = simt::Site::current()) {
  simt::give(0, static_cast<uint32_t>(predicate));
  simt::Block::current().collective(mask, &simt::vote, site);
  return simt::take<uint32_t>(0);
}
inline bool any_of_warp(bool predicate, uint32_t mask = ~0u, simt::Site site = simt::Site::current()) {
  return ballot(predicate, mask, site) != 0;
}
inline bool all_of_warp(bool predicate, uint32_t mask = ~0u, simt::Site site = simt::Site::current()) {
  return ballot(predicate, mask, site) == mask;
}

}  // namespace kronroot::cuda
