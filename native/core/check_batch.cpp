#include "check_batch.hpp"

#include <algorithm>
#include <cfloat>
#include <cinttypes>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "check.hpp"

namespace kronroot {
namespace {

const char* dtype_name(int32_t dtype) { return dtype == KR_F32 ? "f32" : "f64"; }
int64_t dtype_bytes(int32_t dtype) { return dtype == KR_F32 ? 4 : 8; }
bool is_empty(const kr_batch& batch) { return batch.batch == 0 || batch.rows == 0 || batch.cols == 0; }

// Elements one matrix spans, and that the whole batch spans. The batch is not empty.
Checked matrix_extent(const kr_batch& batch) { return (Checked(batch.rows) - 1) * batch.row_stride + batch.cols; }
Checked batch_extent(const kr_batch& batch) {
  return (Checked(batch.batch) - 1) * batch.batch_stride + matrix_extent(batch);
}

bool same_descriptor(const kr_batch& x, const kr_batch& y) {
  return x.data == y.data && x.rows == y.rows && x.cols == y.cols && x.row_stride == y.row_stride &&
         (x.batch_stride == y.batch_stride || x.batch == 1);
}

bool ranges_overlap(const kr_batch& x, const kr_batch& y) {
  if (is_empty(x) || is_empty(y)) return false;
  const auto x_begin = reinterpret_cast<uintptr_t>(x.data);
  const auto y_begin = reinterpret_cast<uintptr_t>(y.data);
  return x_begin < y_begin + static_cast<uintptr_t>(batch_bytes(y).value()) &&
         y_begin < x_begin + static_cast<uintptr_t>(batch_bytes(x).value());
}

// Do two matrices of the batch share an element? Matrix d apart starts d * batch_stride elements later, and row
// r of this matrix begins r * row_stride later: they meet where these are less than cols apart for some r < rows, and
// the nearest r is one of the two around the quotient. Matrices may lie behind one another, or side by side in wide
// rows.
bool matrices_overlap(const kr_batch& batch) {
  const int64_t extent = matrix_extent(batch).value();
  for (int64_t d = 1; d < batch.batch && d * batch.batch_stride < extent; ++d) {
    const int64_t offset = d * batch.batch_stride;
    const int64_t below = batch.rows == 1 ? 0 : std::min(offset / batch.row_stride, batch.rows - 1);
    if (offset - below * batch.row_stride < batch.cols) return true;
    if (below + 1 < batch.rows && (below + 1) * batch.row_stride - offset < batch.cols) return true;
  }
  return false;
}

}  // namespace

kr_code fail(const kr_call* call, kr_code code, const char* format, ...) {
  if (call != nullptr && call->message != nullptr && call->message_size > 0) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(call->message, call->message_size, format, arguments);
    va_end(arguments);
  }
  return code;
}

Checked batch_bytes(const kr_batch& batch) {
  return is_empty(batch) ? Checked(0) : batch_extent(batch) * dtype_bytes(batch.dtype);
}

void Check::well_formed(std::initializer_list<Operand> operands) {
  for (const Operand& each : operands) operand(each);
  if (failed()) return;
  const Operand& first = *operands.begin();
  for (const Operand& each : operands) {
    if (each.batch->dtype != first.batch->dtype) {
      code_ = fail(call_, KR_BAD_DTYPE, "%s: expected %s (as %s), got %s", each.name, dtype_name(first.batch->dtype),
                   first.name, dtype_name(each.batch->dtype));
      return;
    }
    if (each.batch->batch != first.batch->batch) {
      code_ = fail(call_, KR_BAD_SHAPE, "%s: expected a batch of %" PRId64 " (as %s), got %" PRId64, each.name,
                   first.batch->batch, first.name, each.batch->batch);
      return;
    }
  }
}

void Check::operand(const Operand& operand) {
  if (failed()) return;
  const char* name = operand.name;
  if (operand.batch == nullptr) {
    code_ = fail(call_, KR_BAD_SHAPE, "%s: expected a descriptor, got NULL", name);
    return;
  }
  const kr_batch& batch = *operand.batch;
  if (batch.dtype != KR_F32 && batch.dtype != KR_F64) {
    code_ = fail(call_, KR_BAD_DTYPE, "%s: expected dtype f32 (%d) or f64 (%d), got %d", name, KR_F32, KR_F64,
                 static_cast<int>(batch.dtype));
    return;
  }
  if (batch.batch < 0 || batch.rows < 0 || batch.cols < 0) {
    code_ = fail(call_, KR_BAD_SHAPE, "%s: expected sizes >= 0, got batch %" PRId64 ", rows %" PRId64 ", cols %" PRId64,
                 name, batch.batch, batch.rows, batch.cols);
    return;
  }
  if (is_empty(batch)) return;
  if (batch.row_stride < batch.cols) {
    code_ = fail(call_, KR_BAD_SHAPE, "%s: expected row_stride >= %" PRId64 " (cols), got %" PRId64, name, batch.cols,
                 batch.row_stride);
    return;
  }
  if (batch.batch_stride < 0) {
    code_ = fail(call_, KR_BAD_SHAPE, "%s: expected batch_stride >= 0, got %" PRId64, name, batch.batch_stride);
    return;
  }
  if (!batch_bytes(batch).valid()) {
    code_ = fail(call_, KR_BAD_SHAPE,
                 "%s: expected a size that fits in memory, got batch %" PRId64 " of %" PRId64 " x %" PRId64
                 " with row_stride %" PRId64 ", batch_stride %" PRId64,
                 name, batch.batch, batch.rows, batch.cols, batch.row_stride, batch.batch_stride);
    return;
  }
  if (batch.data == nullptr) {
    code_ =
        fail(call_, KR_BAD_SHAPE, "%s: expected data for a batch of %" PRId64 " of %" PRId64 " x %" PRId64 ", got NULL",
             name, batch.batch, batch.rows, batch.cols);
    return;
  }
  if (reinterpret_cast<uintptr_t>(batch.data) % static_cast<uintptr_t>(dtype_bytes(batch.dtype)) != 0) {
    code_ = fail(call_, KR_BAD_SHAPE, "%s: expected data aligned to its %s elements, got address %p", name,
                 dtype_name(batch.dtype), batch.data);
    return;
  }
  if (operand.role == Role::output) output_matrices_apart(operand);
}

void Check::output_matrices_apart(const Operand& operand) {
  if (matrices_overlap(*operand.batch)) {
    code_ = fail(call_, KR_BAD_SHAPE,
                 "%s: expected output matrices that do not overlap, got batch_stride %" PRId64 " for %" PRId64
                 " x %" PRId64 " with row_stride %" PRId64,
                 operand.name, operand.batch->batch_stride, operand.batch->rows, operand.batch->cols,
                 operand.batch->row_stride);
  }
}

void Check::rows(const Operand& operand, int64_t expected, const char* meaning) {
  if (failed() || operand.batch->rows == expected) return;
  code_ = fail(call_, KR_BAD_SHAPE, "%s: expected %" PRId64 " rows (%s), got %" PRId64, operand.name, expected, meaning,
               operand.batch->rows);
}

void Check::cols(const Operand& operand, int64_t expected, const char* meaning) {
  if (failed() || operand.batch->cols == expected) return;
  code_ = fail(call_, KR_BAD_SHAPE, "%s: expected %" PRId64 " cols (%s), got %" PRId64, operand.name, expected, meaning,
               operand.batch->cols);
}

void Check::square(const Operand& operand) {
  if (failed() || operand.batch->rows == operand.batch->cols) return;
  code_ = fail(call_, KR_BAD_SHAPE, "%s: expected a square matrix, got %" PRId64 " x %" PRId64, operand.name,
               operand.batch->rows, operand.batch->cols);
}

void Check::without_gaps(const Operand& operand) {
  const kr_batch& batch = *operand.batch;
  if (failed() || is_empty(batch) || batch.rows == 1 || batch.row_stride == batch.cols) return;
  code_ =
      fail(call_, KR_BAD_SHAPE, "%s: expected row_stride = %" PRId64 " (cols: a tensor has no padding), got %" PRId64,
           operand.name, batch.cols, batch.row_stride);
}

void Check::disjoint(const Operand& output, const Operand& other) {
  if (failed() || !ranges_overlap(*output.batch, *other.batch)) return;
  code_ =
      fail(call_, KR_BAD_ALIAS, "%s: expected memory apart from %s, got ranges that overlap", output.name, other.name);
}

void Check::disjoint_or_same(const Operand& output, const Operand& input) {
  if (failed() || same_descriptor(*output.batch, *input.batch) || !ranges_overlap(*output.batch, *input.batch)) return;
  code_ = fail(call_, KR_BAD_ALIAS,
               "%s: expected memory apart from %s or the very same descriptor, got ranges that overlap", output.name,
               input.name);
}

void Check::option(bool holds, const char* name, const char* allowed, double given) {
  if (failed() || holds) return;
  code_ = fail(call_, KR_BAD_OPTION, "%s: expected %s, got %.10g", name, allowed, given);
}

void Check::finite(const char* name, double given, int32_t dtype) {
  const double largest = dtype == KR_F32 ? static_cast<double>(FLT_MAX) : DBL_MAX;
  option(std::abs(given) <= largest, name, dtype == KR_F32 ? "a number finite in f32" : "a finite number", given);
}

}  // namespace kronroot
