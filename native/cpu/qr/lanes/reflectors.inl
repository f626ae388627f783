// Householder QR in every lane: A = H_0 H_1 .. R, H_k = I - tau_k v_k v_k^T with v_k zero before its component k,
// which is 1; v_k stays below the diagonal of column k, R on and above it. Reflectors are applied four at a time: with
// s_r = v_r . x the sequence H_3 H_2 H_1 H_0 subtracts sum_r v_r z_r from x, z_r = tau_r (s_r - sum_{q<r} (v_r . v_q)
// z_q); in the other order the sum runs over q > r.
// Source: Golub and Van Loan, Matrix Computations, 5.1.2 and 5.2.2; norms are summed in f64.
#pragma once

#include "../../lanes/matrix.inl"

namespace kronroot::cpu {
namespace {
namespace qr {

// Reflectors to a block, and columns that a block is applied to at once: their sums stay in registers.
constexpr int kBlock = 4;
constexpr int kTile = kVectorBytes == 64 ? 4 : 2;

template <typename T>
class LaneReflectors {
 public:
  // Elements of T that a matrix of that shape needs beside itself.
  static int64_t workspace(int64_t rows, int64_t cols) {
    return ((rows < cols ? rows : cols) * 2 + rows * kBlock) * kWidth<T>;
  }

  LaneReflectors(const LaneMatrix<T>& a, T* memory)
      : a_(a),
        count_(a.rows < a.cols ? a.rows : a.cols),
        tau_(memory),
        sign_(tau_ + count_ * kWidth<T>),
        panel_(sign_ + count_ * kWidth<T>) {}

  void factor() {
    for (int64_t first = 0; first < count_; first += kBlock) {
      const int64_t end = first + kBlock < count_ ? first + kBlock : count_;
      for (int64_t k = first; k < end; ++k) {
        reflect_column(k);
        for (int64_t j = k + 1; j < end; ++j) apply_last(k, j);
      }
      if (end == a_.cols) break;
      open_block(first, end);
      apply_to_columns<false>(a_, first, end, a_.cols);
    }
  }

  // The first q.cols columns of Q, with the signs that make the diagonal of R positive.
  void form(const LaneMatrix<T>& q) {
    for (int64_t i = 0; i < q.rows; ++i) {
      for (int64_t j = 0; j < q.cols; ++j) store(q.at(i, j), broadcast(T(i == j)));
    }
    for (int64_t first = (count_ - 1) / kBlock * kBlock; first >= 0; first -= kBlock) {
      open_block(first, first + kBlock < count_ ? first + kBlock : count_);
      apply_to_columns<true>(q, first, first, q.cols);
    }
    for (int64_t j = 0; j < q.cols && j < count_; ++j) {
      const Vec<T> sign = load(sign_ + j * kWidth<T>);
      for (int64_t i = 0; i < q.rows; ++i) store(q.at(i, j), load(q.at(i, j)) * sign);
    }
  }

  // Leaves R with a diagonal >= 0, and zeros below it, where A was; the reflectors are gone.
  void leave_r() {
    for (int64_t i = 0; i < a_.rows; ++i) {
      const Vec<T> sign = i < count_ ? load(sign_ + i * kWidth<T>) : Vec<T>{};
      for (int64_t j = 0; j < a_.cols; ++j) {
        if (j < i) {
          store(a_.at(i, j), Vec<T>{});
        } else if (j > i) {
          store(a_.at(i, j), load(a_.at(i, j)) * sign);
        }
      }
    }
  }

 private:
  // Components beyond the k-th whose squares sum up to no more than this are taken for zero: their inverse might
  // overflow, and beside the largest element of A, which is about 1, they are nothing.
  static constexpr double kNothing = sizeof(T) == 4 ? 0x1p-200 : 0x1p-1000;

  void reflect_column(int64_t k) {
    const Wide<T> alpha = widen<T>(load(a_.at(k, k)));
    const Wide<T> rest =
        squares_of(LaneMatrix<T>{a_.at(k, k) + a_.row_step * kWidth<T>, a_.rows - k - 1, 1, a_.row_step, a_.col_step});
    Wide<T> tau, factor, size, sign;
    for (int part = 0; part < kParts<T>; ++part) {
      const Vec<double> first = alpha.part[part], squares = rest.part[part];
      const Mask<double> exists = squares > broadcast(kNothing);
      const Vec<double> norm = square_root(fma(first, first, squares));
      const Vec<double> beta = select<double>(exists, -copy_sign<double>(norm, first), first);
      tau.part[part] = select<double>(exists, (beta - first) / beta, Vec<double>{});
      factor.part[part] = select<double>(exists, broadcast(1.0) / (first - beta), Vec<double>{});
      size.part[part] = absolute<double>(beta);
      sign.part[part] = select<double>(beta < Vec<double>{}, broadcast(-1.0), broadcast(1.0));
    }
    store(tau_ + k * kWidth<T>, narrow<T>(tau));
    store(sign_ + k * kWidth<T>, narrow<T>(sign));
    store(a_.at(k, k), narrow<T>(size));
    const Vec<T> scale = narrow<T>(factor);
    for (int64_t i = k + 1; i < a_.rows; ++i) store(a_.at(i, k), load(a_.at(i, k)) * scale);
  }

  // Reflector k on column j, where both are in A.
  void apply_last(int64_t k, int64_t j) {
    Vec<T> sum = load(a_.at(k, j));
    for (int64_t i = k + 1; i < a_.rows; ++i) sum = fma(load(a_.at(i, k)), load(a_.at(i, j)), sum);
    const Vec<T> z = -load(tau_ + k * kWidth<T>) * sum;
    store(a_.at(k, j), load(a_.at(k, j)) + z);
    for (int64_t i = k + 1; i < a_.rows; ++i) {
      store(a_.at(i, j), fma(load(a_.at(i, k)), z, load(a_.at(i, j))));
    }
  }

  // Copies the vectors of reflectors first .. end - 1 <= first + kBlock into the panel, zeros included, row by row; and
  // takes their products.
  void open_block(int64_t first, int64_t end) {
    const int64_t length = a_.rows - first;
    for (int64_t i = 0; i < length; ++i) {
      for (int r = 0; r < kBlock; ++r) {
        const bool is_stored = i > r && first + r < end;
        store(panel_ + (i * kBlock + r) * kWidth<T>,
              is_stored ? load(a_.at(first + i, first + r)) : broadcast(T(i == r)));
      }
    }
    for (int r = 0; r < kBlock; ++r) {
      block_tau_[r] = first + r < end ? load(tau_ + (first + r) * kWidth<T>) : Vec<T>{};
      for (int q = 0; q < r; ++q) {
        Vec<T> product{};
        for (int64_t i = r; i < length; ++i) {
          const T* v = panel_ + i * kBlock * kWidth<T>;
          product = fma(load(v + r * kWidth<T>), load(v + q * kWidth<T>), product);
        }
        products_[r][q] = products_[q][r] = product;
      }
    }
  }

  // Columns from .. to - 1 of x, which the open block touches from row `first` on.
  template <bool Reversed>
  void apply_to_columns(const LaneMatrix<T>& x, int64_t first, int64_t from, int64_t to) const {
    int64_t j = from;
    for (; j + kTile <= to; j += kTile) apply<Reversed, kTile>(x, first, j);
    for (; j < to; ++j) apply<Reversed, 1>(x, first, j);
  }

  template <bool Reversed, int Columns>
  void apply(const LaneMatrix<T>& x, int64_t first, int64_t j) const {
    constexpr int W = kWidth<T>;
    const int64_t length = a_.rows - first, row = x.row_step * W, col = x.col_step * W;
    T* top = x.at(first, j);
    Vec<T> sums[kBlock][Columns] = {};
    for (int64_t i = 0; i < length; ++i) {
      const T* v = panel_ + i * kBlock * W;
      const T* element = top + i * row;
#pragma GCC unroll 4
      for (int c = 0; c < Columns; ++c) {
        const Vec<T> each = load(element + c * col);
#pragma GCC unroll 4
        for (int r = 0; r < kBlock; ++r) sums[r][c] = fma(load(v + r * W), each, sums[r][c]);
      }
    }
#pragma GCC unroll 4
    for (int step = 0; step < kBlock; ++step) {
      const int r = Reversed ? kBlock - 1 - step : step;
#pragma GCC unroll 4
      for (int c = 0; c < Columns; ++c) {
        Vec<T> sum = sums[r][c];
        for (int q = Reversed ? r + 1 : 0; q < (Reversed ? kBlock : r); ++q) {
          sum = fma(products_[r][q], sums[q][c], sum);  // z_q, negated
        }
        sums[r][c] = -block_tau_[r] * sum;
      }
    }
    for (int64_t i = 0; i < length; ++i) {
      const T* v = panel_ + i * kBlock * W;
      T* element = top + i * row;
#pragma GCC unroll 4
      for (int c = 0; c < Columns; ++c) {
        Vec<T> each = load(element + c * col);
#pragma GCC unroll 4
        for (int r = 0; r < kBlock; ++r) each = fma(load(v + r * W), sums[r][c], each);
        store(element + c * col, each);
      }
    }
  }

  LaneMatrix<T> a_;
  int64_t count_;
  T* tau_;
  T* sign_;   // of beta
  T* panel_;  // rows x kBlock
  Vec<T> products_[kBlock][kBlock];
  Vec<T> block_tau_[kBlock];
};

}  // namespace qr
}  // namespace
}  // namespace kronroot::cpu
