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

  Store(const Bf16Product& p, int64_t row, int64_t column, float* sums, Bf16*)
      : p_(p), row_(row), column_(column), sums_(sums), is_mirrored_(p.is_symmetric && row != column) {
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

  Row read_row(int i) const {
    const float* const sums = sums_ + i * kBlock;
    Row row = {load(sums), load(sums + kSide)};
    if (is_final_) return row;
    if (exponent_ != 0) {
      const __m512 exponent = _mm512_set1_ps(static_cast<float>(exponent_));
      row.left = _mm512_maskz_scalef_ps(0xffff, row.left, exponent);
      row.right = _mm512_maskz_scalef_ps(0xffff, row.right, exponent);
    }
    row.left *= p_.alpha;
    row.right *= p_.alpha;
    if (p_.beta != 0) {
      const float* const d = p_.plain_d + (row_ + i) * p_.plain_d_stride + column_;
      row.left += p_.beta * Vec<float>(_mm512_maskz_loadu_ps(mask(i, 0), d));
      row.right += p_.beta * Vec<float>(_mm512_maskz_loadu_ps(mask(i, kSide), d + kSide));
    }
    return row;
  }

  void write_back(int i, const Row& row) {
    store(sums_ + i * kBlock, row.left);
    store(sums_ + i * kBlock + kSide, row.right);
  }

  // Of 16 columns from `column` of the block, those that row i of it has in C.
  __mmask16 mask(int64_t i, int64_t column) const {
    return row_ + i < p_.m ? first(p_.n - column_ - column) : __mmask16{0};
  }

  void store_row(int i) {
    const Row row = read_row(i);
    if (is_mirrored_) write_back(i, row);
    float* const c = p_.c + (row_ + i) * p_.c_stride + column_;
    _mm512_mask_storeu_ps(c, mask(i, 0), row.left);
    _mm512_mask_storeu_ps(c + kSide, mask(i, kSide), row.right);
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
  int exponent_ = 0;
  bool is_mirrored_;
  bool is_final_ = false;  // the sums hold C
};

}  // namespace
}  // namespace kronroot::cpu
