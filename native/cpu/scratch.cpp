#include "scratch.hpp"

#include <algorithm>
#include <memory>
#include <new>
#include <vector>

namespace kronroot::cpu {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmallestBlock = std::size_t{1} << 16;

struct AlignedDelete {
  void operator()(std::byte* memory) const { ::operator delete (memory, std::align_val_t{kAlignment}); }
};

// One stretch of the stack. Positions on the stack are counted through all blocks: a block holds positions
// [start, start + capacity), and the next one starts where this one was left.
struct Block {
  std::unique_ptr<std::byte, AlignedDelete> memory;
  std::size_t start;
  std::size_t capacity;
};

// Memory in use never moves: a request that does not fit opens another block on top. Once nothing is in use, several
// blocks are given up, and the next request gets one block as large as the deepest stack so far.
class Arena {
 public:
  std::size_t top() const { return top_; }
  std::size_t measured() const { return measured_; }
  void forget_measured() { measured_ = top_; }

  void* push(std::size_t bytes) {
    if (blocks_.empty() || top_ - blocks_.back().start + bytes > blocks_.back().capacity) open_block(bytes);
    void* memory = blocks_.back().memory.get() + (top_ - blocks_.back().start);
    top_ += bytes;
    deepest_ = std::max(deepest_, top_);
    measured_ = std::max(measured_, top_);
    return memory;
  }

  void pop_to(std::size_t mark) noexcept {
    top_ = mark;
    while (blocks_.size() > 1 && blocks_.back().start >= mark) blocks_.pop_back();
    if (mark == 0 && !blocks_.empty() && blocks_.front().capacity < deepest_) blocks_.clear();
  }

 private:
  void open_block(std::size_t bytes) {
    std::size_t capacity = std::max(bytes, kSmallestBlock);
    if (top_ == 0) {
      blocks_.clear();
      capacity = std::max(capacity, deepest_);
    }
    blocks_.reserve(blocks_.size() + 1);
    auto* memory = static_cast<std::byte*>(::operator new (capacity, std::align_val_t{kAlignment}));
    blocks_.push_back({std::unique_ptr<std::byte, AlignedDelete>(memory), top_, capacity});
  }

  std::vector<Block> blocks_;
  std::size_t top_ = 0;
  std::size_t deepest_ = 0;   // ever, for the size of blocks
  std::size_t measured_ = 0;  // since forget_measured()
};

thread_local Arena arena;

}  // namespace

Scratch::Scratch() : mark_(arena.top()) {}

Scratch::~Scratch() { arena.pop_to(mark_); }

std::size_t Scratch::deepest() { return arena.measured(); }

void Scratch::forget_deepest() { arena.forget_measured(); }

void* Scratch::take_bytes(int64_t count, std::size_t size) {
  constexpr std::size_t kMost = std::size_t{1} << 62;
  if (count < 0 || static_cast<std::size_t>(count) > kMost / size) throw std::bad_alloc();
  const std::size_t bytes = (static_cast<std::size_t>(count) * size + kAlignment - 1) / kAlignment * kAlignment;
  return arena.push(bytes);
}

}  // namespace kronroot::cpu
