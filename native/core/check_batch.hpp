// Checks of descriptors, the part that all ops share.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "../include/kronroot/backend.h"
#include "checked.hpp"

namespace kronroot {

enum class Role { input, output };

// A descriptor under the name that messages call it by.
struct Operand {
  const char* name;
  const kr_batch* batch;
  Role role;
};

// The bytes a batch spans, from its first to its last element; 0 when it is empty.
Checked batch_bytes(const kr_batch& batch);

// A chain of checks that remembers the first failure; once it has failed, later checks do nothing. Only well_formed()
// may be given NULL descriptors, and nothing may be read from them before failed() was asked.
class Check {
 public:
  explicit Check(const kr_call* call) : call_(call) {}

  bool failed() const { return code_ != KR_OK; }
  kr_code code() const { return code_; }

  // Each operand by itself and all together: present, a known dtype, no negative sizes, strides that
  // keep rows (and output matrices) apart, data where there are elements, sizes that 64 bits hold, one dtype and one
  // batch count.
  void well_formed(std::initializer_list<Operand> operands);

  // `meaning` says where the number comes from: "columns of op(a)".
  void rows(const Operand& operand, int64_t expected, const char* meaning);
  void cols(const Operand& operand, int64_t expected, const char* meaning);
  void square(const Operand& operand);
  // Rows that follow each other without padding.
  void without_gaps(const Operand& operand);

  // No byte of the output lies in the range of the other operand.
  void disjoint(const Operand& output, const Operand& other);
  // As disjoint, but the very same descriptor is allowed.
  void disjoint_or_same(const Operand& output, const Operand& input);

  // Options. `allowed` describes the range in words.
  void option(bool holds, const char* name, const char* allowed, double given);
  // A real number that is finite in the dtype of the call.
  void finite(const char* name, double given, int32_t dtype);

 private:
  void operand(const Operand& operand);
  void output_matrices_apart(const Operand& operand);
  const kr_call* call_;
  kr_code code_ = KR_OK;
};

}  // namespace kronroot
