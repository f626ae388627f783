// A block of sums on its way into C in f32: alpha 2^exponent sums + beta D + gamma I.
#pragma once

#include "forms.inl"

namespace kronroot::cpu {
namespace {

// In pieces: pairs of rows; then the mirror image of the block where C is symmetric.
class Store {
 public:
  static constexpr int kSpareTiles = 0;

  // Of what the block at (row, column) will be written to, rows [first, end).
  static void prefetch(const Bf16Product& p, int64_t row, int64_t column, int64_t first, int64_t end) {
    constexpr int kForWriting = 1;
    for (int64_t i = row + first; i < smaller(row + end, p.m); ++i) {
      __builtin_prefetch(p.c + i * p.c_stride + column, kForWriting);
      __builtin_prefetch(p.c + i * p.c_stride + column + kSide, kForWriting);
    }
  }

  // Whether the sums of a block are C: the tiles are stored there, and nothing is left to be done.
  static bool is_direct(const Bf16Product& p, int64_t row, int64_t column) {
    const bool is_plain = p.alpha == 1 && p.beta == 0 && p.gamma == 0 && p.row_exponents == nullptr && !p.is_symmetric;
    return is_plain && row + kBlock <= p.m && column + kBlock <= p.n;
  }

  Store(const Bf16Product& p, int64_t row, int64_t column, float* sums, Bf16*)
      : p_(p),
        row_(row),
        column_(column),
        sums_(sums),
        c_(p.c + row * p.c_stride + column),
        c_stride_(p.c_stride),
        d_(p.beta == 0 ? nullptr : p.plain_d + row * p.plain_d_stride + column),
        d_stride_(p.plain_d_stride),
        alpha_(p.alpha),
        beta_(p.beta),
        rows_left_(p.m - row),
        left_mask_(first(p.n - column)),
        right_mask_(first(p.n - column - kSide)),
        is_mirrored_(p.is_symmetric && row != column) {
    if (p.row_exponents != nullptr) exponent_ = -p.row_exponents[row / kBlock] - p.column_exponents[column / kBlock];
  }

  int cost() const { return int{kSide} + (is_mirrored_ ? 4 * kTurnCost : 0); }

  int advance(int position) {
    if (position < kSide) {
      store_row(position);
      store_row(position + int{kSide});
      return position + 1;
    }
    const int quarter = (position - int{kSide}) / kTurnCost;
    store_turned(quarter / 2 * kSide, quarter % 2 * kSide);
    return position + kTurnCost;
  }

  bool needs_diagonal() const { return row_ + p_.diagonal_start == column_ && (p_.gamma != 0 || p_.is_symmetric); }

  // Makes alpha sums + beta D + gamma I where the sums stand, the part above the diagonal from below it.
  void finish_diagonal() {
    for (int i = 0; i < kBlock; ++i) {
      write_back(i, read_row(i));
      sums_[i * kBlock + i] += p_.gamma;
    }
    if (p_.is_symmetric) mirror_block(sums_);
    is_final_ = true;
  }

 private:
  struct Row {
    Vec<float> left, right;
  };
  struct Masks {
    __mmask16 left, right;
  };

  // The columns that row i of the block has in C.
  Masks masks(int64_t i) const { return i < rows_left_ ? Masks{left_mask_, right_mask_} : Masks{0, 0}; }

  Row read_row(int i) const {
    const float* const sums = sums_ + i * kBlock;
    Row row = {load(sums), load(sums + kSide)};
    if (is_final_) return row;
    if (exponent_ != 0) {
      const __m512 exponent = _mm512_set1_ps(static_cast<float>(exponent_));
      row.left = _mm512_maskz_scalef_ps(0xffff, row.left, exponent);
      row.right = _mm512_maskz_scalef_ps(0xffff, row.right, exponent);
    }
    row.left *= alpha_;
    row.right *= alpha_;
    if (beta_ != 0) {
      const float* const d = d_ + i * d_stride_;
      const auto [left, right] = masks(i);
      row.left += beta_ * Vec<float>(_mm512_maskz_loadu_ps(left, d));
      row.right += beta_ * Vec<float>(_mm512_maskz_loadu_ps(right, d + kSide));
    }
    return row;
  }

  void write_back(int i, const Row& row) {
    store(sums_ + i * kBlock, row.left);
    store(sums_ + i * kBlock + kSide, row.right);
  }

  void store_row(int i) {
    const Row row = read_row(i);
    if (is_mirrored_) write_back(i, row);
    float* const c = c_ + i * c_stride_;
    const auto [left, right] = masks(i);
    _mm512_mask_storeu_ps(c, left, row.left);
    _mm512_mask_storeu_ps(c + kSide, right, row.right);
  }

  // The quarter of the block from (i, j), all of whose columns C has, to its mirror image.
  __attribute__((noinline)) void store_turned(int64_t i, int64_t j) const {
    Vec<float> quarter[kSide];
    for (int64_t r = 0; r < kSide; ++r) quarter[r] = load(sums_ + (i + r) * kBlock + j);
    transpose<float>(quarter);
    float* const c = p_.c + (column_ + j) * p_.c_stride + row_ + i;
    const __mmask16 rows = first(p_.m - row_ - i);
    for (int64_t r = 0; r < kSide; ++r) _mm512_mask_storeu_ps(c + r * p_.c_stride, rows, quarter[r]);
  }

  const Bf16Product& p_;
  int64_t row_, column_;
  float* sums_;
  float* c_;
  int64_t c_stride_;
  const float* d_;
  int64_t d_stride_;
  float alpha_, beta_;
  int64_t rows_left_;
  __mmask16 left_mask_, right_mask_;
  int exponent_ = 0;
  bool is_mirrored_;
  bool is_final_ = false;  // the sums hold C
};

}  // namespace
}  // namespace kronroot::cpu
