// One merge of divide and conquer: the eigendecomposition of
//   [ T1     ]         T
//   [     T2 ] + rho u u,    u = (0 .. 0 1 | +-1 0 .. 0),
// from those of T1 and T2. In their eigenvectors it is the rank-one update D + 2 rho z z^T, with z made of the last
// components of the eigenvectors of T1 and the first ones of T2 (Cuppen, Numer. Math. 36 (1981)).
//
// Deflation: an eigenvector with rho |z_j| below the tolerance stays as it is; of two whose eigenvalues are so close
// that a rotation which makes one z_j zero leaves a coupling below the tolerance, that one stays (Dongarra and
// Sorensen, SIAM J. Sci. Stat. Comput. 8 (1987)). What is left has distinct poles and nonzero z: secular.inl.
#pragma once

#include "../gemm/gemm.inl"
#include "../gemm/vector_operations.inl"
#include "execution.inl"
#include "pieces.inl"
#include "secular.inl"

namespace kronroot::cpu {
namespace {
namespace eigen {

// Eigenvector after eigenvector, each a row.
template <typename T>
struct Rows {
  T* data;
  int64_t stride;
  T* row(int64_t j) const { return data + j * stride; }
};

// What is kept of an eigenvector: all components, or the first and the last, which is all that the eigenvalues of
// further merges depend on.
enum class Extent { whole, ends };

// Which components of an eigenvector of the two halves may be nonzero. Rows of one kind are kept together, so that the
// products below leave out the zeros.
enum Support : int64_t { kUpper = 0, kBoth = 1, kLower = 2 };

template <typename T>
struct MergeWorkspace {
  T* gathered;      // n x n
  Rows<T> weights;  // n x n
  T* gemm;          // for every thread
  int64_t gemm_size;
  double* z;
  double* poles;
  double* squares;
  double* offset;
  double* column_poles;
  double* column_z;
  double* corrected;
  double* row;  // for every thread
  int64_t row_size;
  int64_t* origin;
  int64_t* sorted;
  int64_t* kept;
  int64_t* deflated;
  int64_t* support;
  int64_t* column;

  // gathered, weights and gemm are left to the caller: Extent::ends does with 2 n elements for the first.
  MergeWorkspace(int64_t n, int threads, Pieces& pieces) : gathered(nullptr), weights{}, gemm(nullptr), gemm_size(0) {
    const int64_t whole = round_up(n, kRootLanes) + 2 * kRootLanes;
    for (double** piece : {&z, &poles, &squares, &offset, &column_poles, &column_z, &corrected}) {
      *piece = pieces.take<double>(whole);
    }
    row_size = whole;
    row = pieces.take<double>(threads * row_size);
    for (int64_t** piece : {&origin, &sorted, &kept, &deflated, &support, &column}) *piece = pieces.take<int64_t>(n);
  }
};

template <typename T>
void copy_elements(int64_t count, const T* from, T* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = from[i];
}

// order[0 .. first_count + second_count - 1]: the union of two lists of indices, each by ascending d.
inline void merge_lists(const double* d, const int64_t* first, int64_t first_count, const int64_t* second,
                        int64_t second_count, int64_t* order) {
  while (first_count > 0 || second_count > 0) {
    const bool takes_first = second_count == 0 || (first_count > 0 && d[*first] <= d[*second]);
    (takes_first ? first_count : second_count) -= 1;
    *order++ = takes_first ? *first++ : *second++;
  }
}

// The indices in `order` by ascending d; few are out of place.
inline void sort_by(const double* d, int64_t count, int64_t* order) {
  for (int64_t i = 1; i < count; ++i) {
    const int64_t index = order[i];
    int64_t place = i;
    for (; place > 0 && d[order[place - 1]] > d[index]; --place) order[place] = order[place - 1];
    order[place] = index;
  }
}

template <typename T, Extent kExtent>
class Merge {
 public:
  // The n1 + n2 eigenvectors are rows of `vectors`, from the block's first component on; d holds their eigenvalues and
  // order[0 .. n1 - 1], order[n1 ..] (counted from 0 in each half) their ascending orders; all three are overwritten by
  // those of the whole.
  Merge(int64_t n1, int64_t n2, Rows<T> vectors, double* d, int64_t* order, double tolerance,
        const MergeWorkspace<T>& space, const Execution& execution)
      : n1_(n1),
        n_(n1 + n2),
        upper_width_(kExtent == Extent::whole ? n1 : 1),
        width_(kExtent == Extent::whole ? n1 + n2 : 2),
        vectors_(vectors),
        d_(d),
        order_(order),
        tolerance_(tolerance),
        space_(space),
        execution_(execution) {}

  // coupling: the element that couples the halves, rho u u^T = |coupling| (1, +-1)^T (1, +-1). False when a root of the
  // secular equation was not found.
  bool run(double coupling) {
    rho_ = magnitude(coupling);
    sort_halves();
    read_z(coupling < 0);
    deflate();
    if (kept_ > 0) {
      group_by_support();
      gather();
      if (!solve()) return false;
    }
    finish_order();
    return true;
  }

 private:
  void sort_halves() {
    for (int64_t i = n1_; i < n_; ++i) order_[i] += n1_;
    merge_lists(d_, order_, n1_, order_ + n1_, n_ - n1_, space_.sorted);
  }

  void read_z(bool negative) {
    double squares = 0;
    for (int64_t j = 0; j < n_; ++j) {
      const double z = j < n1_ ? take_last(j) : negative ? -take_first(j) : take_first(j);
      space_.z[j] = z;
      space_.support[j] = j < n1_ ? kUpper : kLower;
      squares += z * z;
    }
    // |z|^2 is 2 but for rounding of the eigenvectors.
    rho_ *= squares;
    const double scale = 1 / square_root(squares);
    for (int64_t j = 0; j < n_; ++j) space_.z[j] *= scale;
  }

  // The last component of eigenvector j of the upper half; it is not an end of the whole.
  T take_last(int64_t j) {
    if constexpr (kExtent == Extent::whole) return vectors_.row(j)[n1_ - 1];
    const T last = vectors_.row(j)[1];
    vectors_.row(j)[1] = 0;
    return last;
  }

  // The first component of eigenvector j of the lower half, likewise.
  T take_first(int64_t j) {
    if constexpr (kExtent == Extent::whole) return vectors_.row(j)[n1_];
    const T first = vectors_.row(j)[0];
    vectors_.row(j)[0] = 0;
    return first;
  }

  void deflate() {
    double* z = space_.z;
    int64_t previous = -1;
    for (int64_t s = 0; s < n_; ++s) {
      const int64_t j = space_.sorted[s];
      if (rho_ * magnitude(z[j]) <= tolerance_) {
        space_.deflated[deflated_++] = j;
        continue;
      }
      if (previous >= 0) {
        const double size = square_root(z[j] * z[j] + z[previous] * z[previous]);
        const double c = z[j] / size, s_previous = z[previous] / size;
        const double gap = d_[j] - d_[previous];
        if (magnitude(gap * c * s_previous) <= tolerance_) {
          rotate(previous, j, c, s_previous);
          z[j] = size;
          z[previous] = 0;
          const double moved = gap * s_previous * s_previous;
          d_[previous] += moved;
          d_[j] -= moved;
          space_.deflated[deflated_++] = previous;
          previous = j;
          continue;
        }
        space_.kept[kept_++] = previous;
      }
      previous = j;
    }
    if (previous >= 0) space_.kept[kept_++] = previous;
  }

  // Row j <- c row_j + s row_i, row i <- c row_i - s row_j.
  void rotate(int64_t i, int64_t j, double c, double s) {
    const T cosine = static_cast<T>(c), sine = static_cast<T>(s);
    T* x = vectors_.row(i);
    T* y = vectors_.row(j);
    for (int64_t r = 0; r < width_; ++r) {
      const T xr = x[r], yr = y[r];
      x[r] = cosine * xr - sine * yr;
      y[r] = cosine * yr + sine * xr;
    }
    if (space_.support[i] != space_.support[j]) space_.support[i] = space_.support[j] = kBoth;
  }

  // column[p]: place of pole p when the rows that are kept are grouped by support.
  void group_by_support() {
    int64_t count[3] = {};
    for (int64_t p = 0; p < kept_; ++p) ++count[space_.support[space_.kept[p]]];
    upper_only_ = count[kUpper];
    both_ = count[kBoth];
    int64_t next[3] = {0, upper_only_, upper_only_ + both_};
    for (int64_t p = 0; p < kept_; ++p) {
      const int64_t j = space_.kept[p], column = next[space_.support[j]]++;
      space_.column[p] = column;
      space_.poles[p] = d_[j];
      space_.squares[p] = space_.z[j] * space_.z[j];
    }
  }

  Rows<T> upper_part() const { return {space_.gathered, upper_width_}; }
  Rows<T> lower_part() const { return {upper_part().row(upper_only_ + both_), width_ - upper_width_}; }
  Rows<T> deflated_part() const { return {lower_part().row(kept_ - upper_only_), width_}; }

  void gather() {
    for (int64_t p = 0; p < kept_; ++p) {
      const int64_t column = space_.column[p];
      const T* row = vectors_.row(space_.kept[p]);
      if (column < upper_only_ + both_) copy_elements(upper_width_, row, upper_part().row(column));
      if (column >= upper_only_) {
        copy_elements(width_ - upper_width_, row + upper_width_, lower_part().row(column - upper_only_));
      }
    }
    for (int64_t q = 0; q < deflated_; ++q) {
      copy_elements(width_, vectors_.row(space_.deflated[q]), deflated_part().row(q));
      space_.corrected[q] = d_[space_.deflated[q]];
    }
    // From here on eigenvalue and eigenvector j < kept_ belong to root j, the deflated ones follow.
    for (int64_t q = 0; q < deflated_; ++q) {
      d_[kept_ + q] = space_.corrected[q];
      copy_elements(width_, deflated_part().row(q), vectors_.row(kept_ + q));
    }
  }

  bool solve() {
    for (int64_t i = kept_; i < kept_ + kRootLanes + 1; ++i) {
      space_.poles[i] = space_.poles[i - 1] + rho_;
      space_.squares[i] = 0;
    }
    const Secular<T> equation{kept_, space_.poles, space_.squares, rho_};
    const SecularRoots roots{space_.origin, space_.offset};
    const int64_t parts = kExtent == Extent::whole && kept_ >= kWorthSharing ? execution_.threads : 1;
    bool is_unsolved = false;
    run_parts(execution_, parts, [&](int64_t part) {
      if (!solve_secular(equation, roots, part, parts)) __atomic_store_n(&is_unsolved, true, __ATOMIC_RELAXED);
    });
    if (is_unsolved) return false;
    for (int64_t p = 0; p < kept_; ++p) space_.corrected[p] = space_.z[space_.kept[p]];
    correct_update_vector(equation, roots, space_.corrected);
    for (int64_t p = 0; p < kept_; ++p) {
      space_.column_poles[space_.column[p]] = space_.poles[p];
      space_.column_z[space_.column[p]] = space_.corrected[p];
      d_[p] = roots(space_.poles, p);
    }
    run_parts(execution_, parts,
              [&](int64_t part) { form_rows(roots, part, kept_ * part / parts, kept_ * (part + 1) / parts); });
    return true;
  }

  // Rows first .. last - 1 of the eigenvectors: the weights times what was gathered.
  void form_rows(SecularRoots roots, int64_t part, int64_t first, int64_t last) {
    double* weights = space_.row + part * space_.row_size;
    for (int64_t i = first; i < last; ++i) {
      const double scale = form_weights(space_.poles[roots.origin[i]], roots.offset[i], weights);
      if constexpr (kExtent == Extent::whole) {
        T* row = space_.weights.row(i);
        for (int64_t p = 0; p < kept_; ++p) row[p] = static_cast<T>(weights[p] * scale);
      } else {
        vectors_.row(i)[0] = scale * dot(upper_only_ + both_, weights, upper_part().data);
        vectors_.row(i)[1] = scale * dot(kept_ - upper_only_, weights + upper_only_, lower_part().data);
      }
    }
    if constexpr (kExtent == Extent::whole) multiply(part, first, last);
  }

  // The weights z_p / (d_p - x) of the eigenvectors in that of root x = origin + offset; returns what normalises them.
  double form_weights(double origin, double offset, double* weights) const {
    constexpr int kStep = kWidth<double>;
    Vec<double> squares{};
    for (int64_t p = 0; p < kept_; p += kStep) {
      const Vec<double> gap = (load(space_.column_poles + p) - origin) - offset;
      Vec<double> w = load(space_.column_z + p) * reciprocal<T>(gap);
      if (kept_ - p < kStep) w = first_lanes<double>(static_cast<int>(kept_ - p)) ? w : Vec<double>{};
      store(weights + p, w);
      squares = fma(w, w, squares);
    }
    return 1 / square_root(sum<double>(squares));
  }

  void multiply(int64_t part, int64_t first, int64_t last) const {
    T* const workspace = space_.gemm + part * space_.gemm_size;
    Product<T> product;
    product.m = last - first;
    product.a_stride = space_.weights.stride;
    product.c_stride = vectors_.stride;

    product.n = product.b_stride = upper_width_;
    product.k = upper_only_ + both_;
    product.a = space_.weights.row(first);
    product.b = upper_part().data;
    product.c = vectors_.row(first);
    gemm(product, workspace);

    product.n = product.b_stride = width_ - upper_width_;
    product.k = kept_ - upper_only_;
    product.a = space_.weights.row(first) + upper_only_;
    product.b = lower_part().data;
    product.c = vectors_.row(first) + upper_width_;
    gemm(product, workspace);
  }

  void finish_order() {
    if (kept_ == 0) return copy_elements(n_, space_.sorted, order_);
    for (int64_t p = 0; p < kept_; ++p) space_.kept[p] = p;
    for (int64_t q = 0; q < deflated_; ++q) space_.deflated[q] = kept_ + q;
    sort_by(d_, deflated_, space_.deflated);
    merge_lists(d_, space_.kept, kept_, space_.deflated, deflated_, order_);
  }

  int64_t n1_, n_;
  int64_t upper_width_, width_;  // components that are kept of the upper half, and of both
  Rows<T> vectors_;
  double* d_;
  int64_t* order_;
  double tolerance_;
  MergeWorkspace<T> space_;
  const Execution& execution_;
  double rho_ = 0;
  int64_t kept_ = 0, deflated_ = 0, upper_only_ = 0, both_ = 0;
};

}  // namespace eigen
}  // namespace
}  // namespace kronroot::cpu
