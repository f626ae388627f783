// A workspace cut into its parts.
#pragma once

#include "storage.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Hands out consecutive 64-byte aligned pieces of a workspace; on a null base it measures.
class Pieces {
 public:
  explicit Pieces(void* base) : base_(static_cast<char*>(base)) {}

  template <typename U>
  U* take(int64_t count) {
    char* piece = base_ ? base_ + bytes_ : nullptr;
    bytes_ += round_up(count * int64_t{sizeof(U)}, 64);
    return reinterpret_cast<U*>(piece);
  }
  int64_t bytes() const { return bytes_; }

 private:
  char* base_;
  int64_t bytes_ = 0;
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
