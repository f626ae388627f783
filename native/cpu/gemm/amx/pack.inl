// A block of sums on its way into the forms of C: alpha sums + beta D + gamma I.
#pragma once

#include "forms.inl"

namespace kronroot::cpu {
namespace {

// Rows i and i + 16 of a 32 x 32 block: columns [0, 16) and [16, 32) of them.
struct RowPair {
  Vec<float> upper_left, upper_right, lower_left, lower_right;
};

// The parts of a pair of rows into row i of the two tiles of the block's left form and of its right form; null where
// nothing needs them.
template <int Parts>
[[gnu::always_inline]] inline void pack_pair(RowPair pair, int64_t i, Bf16* const (&rows)[2],
                                             Bf16* const (&columns)[2]) {
#pragma GCC unroll 3
  for (int part = 0; part < Parts; ++part) {
    const int64_t at = part * kTile + i * kDepth;
    const Bits upper_left = next_part(pair.upper_left), upper_right = next_part(pair.upper_right);
    const Bits lower_left = next_part(pair.lower_left), lower_right = next_part(pair.lower_right);
    if (rows[0] != nullptr) {
      store_pairs(rows[0] + at, joined(upper_left, upper_right));
      store_pairs(rows[1] + at, joined(lower_left, lower_right));
    }
    if (columns[0] != nullptr) {
      store_pairs(columns[0] + at, joined(upper_left, lower_left));
      store_pairs(columns[1] + at, joined(upper_right, lower_right));
    }
  }
}

// In pieces: pairs of rows, scaled and packed; then, from the tiles that are packed by now, the mirror image of the
// block where C is symmetric.
template <int Parts, bool ReadsD>
class Pack {
 public:
  static constexpr int kSpareTiles = 4 * Parts;

  // Of what a block on its way will be written to, rows [first, end); forms lie in the cache.
  static void prefetch(const Bf16Product&, int64_t, int64_t, int64_t, int64_t) {}

  static bool is_direct(const Bf16Product&, int64_t, int64_t) { return false; }

  // `spare` takes the tiles that are needed for their transposes only.
  Pack(const Bf16Product& p, int64_t row, int64_t column, float* sums, Bf16* spare)
      : p_(p), row_(row), column_(column), sums_(sums), alpha_(p.alpha) {
    const bool is_mirrored = p.is_symmetric && row != column;
    Bf16* const turned_rows = is_mirrored ? p.forms.right : nullptr;
    Bf16* const turned_columns = is_mirrored ? p.forms.left : nullptr;
    for (int half = 0; half < 2; ++half) {
      const int64_t i = row + half * kSide, j = column + half * kSide;
      if constexpr (ReadsD) d_[half] = tile<Parts>(p.d, p.n, i, column);
      if (p.forms.left != nullptr) {
        rows_[half] = tile<Parts>(p.forms.left, p.n, i, column);
      } else if (turned_rows != nullptr) {
        rows_[half] = spare + half * Parts * kTile;
      }
      if (p.forms.right != nullptr) {
        columns_[half] = tile<Parts>(p.forms.right, p.m, j, row);
      } else if (turned_columns != nullptr) {
        columns_[half] = spare + (2 + half) * Parts * kTile;
      }
      if (turned_rows != nullptr) turns_[turn_count_++] = {rows_[half], tile<Parts>(turned_rows, p.n, i, column)};
      if (turned_columns != nullptr) turns_[turn_count_++] = {columns_[half], tile<Parts>(turned_columns, p.n, j, row)};
    }
  }

  int cost() const { return int{kSide} + kTurnCost * Parts * turn_count_; }

  // The piece that begins at `position` of cost(); returns where the next one does.
  int advance(int position) {
    if (position < kSide) {
      finish_pair(position);
      return position + 1;
    }
    const int number = (position - int{kSide}) / kTurnCost, part = number % Parts * int{kTile};
    const Turn& turn = turns_[number / Parts];
    run({turn.from + part, turn.to + part});
    return position + kTurnCost;
  }

  // Whether the block has something to be done on its diagonal; before all pieces.
  bool needs_diagonal() const {
    return row_ == column_ && (ReadsD || p_.gamma != 0 || p_.diagonal != nullptr || is_asymmetric());
  }

  // Makes alpha sums + beta D + gamma I where the sums stand.
  void finish_diagonal() {
    for (int i = 0; i < kBlock; ++i) {
      float* const row = sums_ + i * kBlock;
      const int64_t at = row_ + i;
      float value = 0;
      if (at < smaller(p_.m, p_.n)) {
        value = p_.alpha * row[i] + p_.gamma;
        if constexpr (ReadsD) value += p_.beta * p_.d_diagonal[at];
        if (p_.diagonal != nullptr) p_.diagonal[at] = value;
      }
      const Row read = read_row(i);
      store(row, read.left);
      store(row + kSide, read.right);
      row[i] = value;
    }
    if (is_asymmetric()) mirror_block(sums_);
    alpha_ = 1;
    d_[0] = nullptr;
  }

 private:
  struct Row {
    Vec<float> left, right;
  };

  // The products of several parts are added in an order that is another one for C_ji.
  bool is_asymmetric() const { return Parts > 1 && p_.is_symmetric; }

  // alpha sums + beta D of row i.
  Row read_row(int i) const {
    const float* const sums = sums_ + i * kBlock;
    Row row = {load(sums) * alpha_, load(sums + kSide) * alpha_};
    if constexpr (ReadsD) {
      if (d_[0] == nullptr) return row;
      const Bf16* const d = d_[i / kSide] + i % kSide * kDepth;
      Vec<float> left = {}, right = {};
      for (int part = Parts - 1; part >= 0; --part) {  // the small ones first: these sums are exact
        const Bits pairs = load_pairs(d + part * kTile);
        left += near_of(pairs);
        right += far_of(pairs);
      }
      row.left += left * p_.beta;
      row.right += right * p_.beta;
    }
    return row;
  }

  void finish_pair(int i) const {
    const Row upper = read_row(i), lower = read_row(i + int{kSide});
    pack_pair<Parts>({upper.left, upper.right, lower.left, lower.right}, i, rows_, columns_);
  }

  const Bf16Product& p_;
  int64_t row_, column_;
  float* sums_;
  float alpha_;
  const Bf16* d_[2] = {};  // null: the sums hold it already
  Bf16* rows_[2] = {};     // tiles of the left form; null where nothing needs them
  Bf16* columns_[2] = {};  // of the right form
  Turn turns_[4] = {};
  int turn_count_ = 0;
};

}  // namespace
}  // namespace kronroot::cpu
