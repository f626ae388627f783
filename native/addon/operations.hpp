// The one place that knows the ops one by one: their operands, how their options arrive from JavaScript, which entry
// of the backend's table they are.
#pragma once

#include <array>
#include <span>
#include <variant>
#include <vector>

#include "../include/kronroot/backend.h"
#include "napi.hpp"

namespace kronroot::addon {

struct Operand {
  enum class Role {
    input,
    optional_input,
    output,
    optional_output,
    optional_update,  // read and written; a failed matrix keeps what it has
  };
  enum class Layout { matrices, columns };  // a tensor [..., m, n], or [..., n] as columns n x 1
  const char* name;
  Role role;
  Layout layout = Layout::matrices;

  bool is_output() const {
    return role == Role::output || role == Role::optional_output || role == Role::optional_update;
  }
  // Whether onFailure = 'nan' is about it.
  bool gets_nan() const { return is_output() && role != Role::optional_update; }
  bool is_optional() const { return role != Role::input && role != Role::output; }
};

struct OrthogonalizeOptions {
  kr_orthogonalize_options plain;
  std::vector<double> coefficients;  // plain.coefficients is set to these when the call is made
};

using Options =
    std::variant<kr_matmul_options, kr_gram_options, kr_eigh_options, kr_inverse_root_options, OrthogonalizeOptions,
                 kr_cholesky_options, kr_kron_apply_options, kr_mode_product_options, kr_kron_solve_options,
                 kr_qr_options, kr_svd_options, kr_triangular_solve_options, kr_norm_estimate_options>;

inline constexpr size_t most_operands = 2 + KR_MOST_MODES;
using Descriptors = std::array<const kr_batch*, most_operands>;  // in the order of Operation::operands, null if absent

struct Operation {
  const char* name;
  std::vector<Operand> operands;
  bool has_reports;
  // Options are numbers from argument `first` on, in the order of the struct of ops.h.
  Options (*decode)(const Arguments& arguments, size_t first);
  // KR_NOT_COMPILED without a message when the backend has no such entry.
  kr_code (*invoke)(const kr_backend&, const kr_call*, const Options&, const Descriptors&, kr_report*);
};

std::span<const Operation> operations();

}  // namespace kronroot::addon
