#include "operations.hpp"

#include <cstdint>
#include <memory>

#include "../core/checked.hpp"

namespace kronroot::addon {
namespace {

using enum Operand::Role;
using enum Operand::Layout;

// Reads one option after the other. Their meaning is checked by lib/linalg (with the names users know) and again by
// the backends.
class Reader {
 public:
  Reader(const Arguments& arguments, size_t first) : arguments_(arguments), next_(first) {}
  int32_t integer() { return static_cast<int32_t>(arguments_.integer(next_++, "option", INT32_MIN, INT32_MAX)); }
  double real() { return arguments_.number(next_++, "option"); }
  // A Float64Array, copied; nothing for null.
  std::vector<double> reals() {
    const size_t index = next_++;
    if (arguments_.is_nullish(index)) return {};
    const View view = view_of(arguments_.env(), arguments_[index], "option");
    if (view.type != napi_float64_array) throw Failure(Failure::argument, "option must be a Float64Array");
    const double* data = static_cast<const double*>(view.data);
    return {data, data + view.length};
  }

 private:
  const Arguments& arguments_;
  size_t next_;
};

// The entry of the table, or KR_NOT_COMPILED where the backend has none.
template <typename Entry, typename... Rest>
kr_code entry(Entry function, const Rest&... rest) {
  return function ? function(rest...) : KR_NOT_COMPILED;
}

Options decode_matmul(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_matmul_options{read.integer(), read.integer(), read.real(), read.real()};
}

Options decode_gram(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_gram_options{read.integer(), 0, read.real(), read.real()};
}

Options decode_eigh(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_eigh_options{read.integer(), 0, read.real()};
}

Options decode_inverse_root(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_inverse_root_options{read.integer(), read.integer(), read.integer(), read.integer(),
                                 read.real(),    read.real(),    read.integer(), read.integer()};
}

Options decode_orthogonalize(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  OrthogonalizeOptions options{};
  options.plain.method = read.integer();
  options.plain.table = read.integer();
  options.plain.steps = read.integer();
  options.coefficients = read.reals();
  options.plain.coefficient_count = static_cast<int32_t>(options.coefficients.size() / 3);
  options.plain.polar_express_lower = read.real();
  options.plain.polar_express_cushion = read.real();
  options.plain.safety = read.real();
  options.plain.precision = read.integer();
  return options;
}

Options decode_cholesky(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_cholesky_options{read.integer(), 0, read.real()};
}

Options decode_kron_apply(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_kron_apply_options{read.integer(), read.integer()};
}

Options decode_mode_product(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  kr_mode_product_options options{};
  options.transpose = read.integer();
  const std::vector<double> dims = read.reals();
  if (dims.empty() || dims.size() > KR_MOST_MODES) throw Failure(Failure::argument, "dims must be 1 to 8 numbers");
  options.order = static_cast<int32_t>(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!(dims[i] >= 0 && dims[i] < 0x1p53)) throw Failure(Failure::argument, "dims must be numbers from 0 to 2^53");
    options.dims[i] = static_cast<int64_t>(dims[i]);
  }
  return options;
}

Options decode_kron_solve(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_kron_solve_options{read.integer(), read.integer(), read.real(), read.real(),
                               read.real(),    read.real(),    read.real()};
}

Options decode_qr(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_qr_options{read.integer(), 0};
}

Options decode_triangular_solve(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_triangular_solve_options{read.integer(), read.integer(), read.integer(), read.integer(), read.real()};
}

Options decode_norm_estimate(const Arguments& arguments, size_t first) {
  Reader read(arguments, first);
  return kr_norm_estimate_options{read.integer(), read.integer()};
}

Options decode_svd(const Arguments&, size_t) { return kr_svd_options{}; }

using Backend = const kr_backend;

kr_code matmul(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d, kr_report*) {
  return entry(backend.matmul, call, &std::get<kr_matmul_options>(options), d[0], d[1], d[2]);
}

kr_code gram(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d, kr_report*) {
  return entry(backend.gram, call, &std::get<kr_gram_options>(options), d[0], d[1]);
}

kr_code eigh(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d, kr_report* reports) {
  return entry(backend.eigh, call, &std::get<kr_eigh_options>(options), d[0], d[1], d[2], reports);
}

kr_code inverse_root(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d,
                     kr_report* reports) {
  return entry(backend.inverse_root, call, &std::get<kr_inverse_root_options>(options), d[0], d[1], reports);
}

kr_code orthogonalize(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d,
                      kr_report* reports) {
  const auto& held = std::get<OrthogonalizeOptions>(options);
  kr_orthogonalize_options plain = held.plain;
  plain.coefficients = held.coefficients.empty() ? nullptr : held.coefficients.data();
  return entry(backend.orthogonalize, call, &plain, d[0], d[1], reports);
}

kr_code cholesky(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d,
                 kr_report* reports) {
  return entry(backend.cholesky, call, &std::get<kr_cholesky_options>(options), d[0], d[1], reports);
}

kr_code spd_inverse(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d,
                    kr_report* reports) {
  return entry(backend.spd_inverse, call, &std::get<kr_cholesky_options>(options), d[0], d[1], reports);
}

kr_code spd_solve(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d,
                  kr_report* reports) {
  return entry(backend.spd_solve, call, &std::get<kr_cholesky_options>(options), d[0], d[1], d[2], reports);
}

kr_code kron_apply(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d, kr_report*) {
  return entry(backend.kron_apply, call, &std::get<kr_kron_apply_options>(options), d[0], d[1], d[2], d[3]);
}

kr_code kron_solve(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d,
                   kr_report* reports) {
  const kr_kron_bases bases{d[0], d[1], d[2], d[3]};
  return entry(backend.kron_solve, call, &std::get<kr_kron_solve_options>(options), &bases, d[4], d[6], d[5], d[7],
               reports);
}

kr_code qr(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d, kr_report* reports) {
  return entry(backend.qr, call, &std::get<kr_qr_options>(options), d[0], d[1], d[2], reports);
}

kr_code svd(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d, kr_report* reports) {
  return entry(backend.svd, call, &std::get<kr_svd_options>(options), d[0], d[1], d[2], d[3], reports);
}

kr_code triangular_solve(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d,
                         kr_report* reports) {
  return entry(backend.triangular_solve, call, &std::get<kr_triangular_solve_options>(options), d[0], d[1], d[2],
               reports);
}

kr_code norm_estimate(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d,
                      kr_report* reports) {
  return entry(backend.norm_estimate, call, &std::get<kr_norm_estimate_options>(options), d[0], d[1], reports);
}

// Elements of the tensor behind a descriptor, which a broadcast may have repeated.
int64_t elements_of(const kr_batch& matrices) {
  return (matrices.batch_stride == 0 ? 1 : matrices.batch) * matrices.rows * matrices.cols;
}

// The descriptor of a tensor [..., d_1, .., d_k], which arrived as matrices of its last two dimensions.
kr_batch as_tensors(kr_batch matrices, int64_t batch, Checked rows, int64_t cols) {
  const Checked size = rows * cols;
  if (!size.valid() || elements_of(matrices) != (size * batch).value()) {
    throw Failure(Failure::shape, "x and out must hold whole tensors of the dims");
  }
  matrices.batch = batch;
  matrices.rows = rows.value();
  matrices.cols = matrices.row_stride = cols;
  matrices.batch_stride = size.value();
  return matrices;
}

kr_code mode_product(Backend& backend, const kr_call* call, const Options& options, const Descriptors& d, kr_report*) {
  const auto& given = std::get<kr_mode_product_options>(options);
  const size_t last = static_cast<size_t>(given.order) - 1;
  std::array<kr_batch, KR_MOST_MODES> factors{};
  std::array<const kr_batch*, KR_MOST_MODES> present{};
  std::array<int64_t, KR_MOST_MODES> results{};
  Checked rows = 1, result_rows = 1;
  for (size_t i = 0; i <= last; ++i) {
    results[i] = given.dims[i];
    if (d[1 + i] != nullptr) {
      factors[i] = *d[1 + i];
      present[i] = &factors[i];
      results[i] = (given.transpose >> i & 1) != 0 ? factors[i].cols : factors[i].rows;
    }
    if (i == last) break;
    rows = rows * given.dims[i];
    result_rows = result_rows * results[i];
  }
  // Where one of the two is empty, the other one tells the batch.
  const int64_t size = (rows * given.dims[last]).value(), result_size = (result_rows * results[last]).value();
  const kr_batch &from = *d[0], &to = *d[1 + KR_MOST_MODES];
  const int64_t batch = size > 0 ? elements_of(from) / size : result_size > 0 ? elements_of(to) / result_size : 0;
  const kr_batch x = as_tensors(from, batch, rows, given.dims[last]);
  const kr_batch y = as_tensors(to, batch, result_rows, results[last]);
  for (kr_batch& factor : factors) {  // one matrix serves the whole batch
    if (factor.batch != 1 && factor.batch_stride != 0) continue;
    factor.batch = batch;
    factor.batch_stride = 0;
  }
  return entry(backend.mode_product, call, &given, &x, present.data(), &y);
}

}  // namespace

std::span<const Operation> operations() {
  // Leaked on purpose, like all state of the process: dispatcher threads may outlive static destructors.
  static const auto& table =
      *std::make_unique<std::vector<Operation>>(
           std::vector<Operation>{
               {"matmul", {{"a", input}, {"b", input}, {"out", output}}, false, decode_matmul, matmul},
               {"gram", {{"x", input}, {"out", output}}, false, decode_gram, gram},
               {"eigh",
                {{"a", input}, {"values", output, columns}, {"vectors", optional_output}},
                true,
                decode_eigh,
                eigh},
               {"inverseRoot", {{"a", input}, {"out", output}}, true, decode_inverse_root, inverse_root},
               {"orthogonalize", {{"a", input}, {"out", output}}, true, decode_orthogonalize, orthogonalize},
               {"cholesky", {{"a", input}, {"out", output}}, true, decode_cholesky, cholesky},
               {"spdInverse", {{"a", input}, {"out", output}}, true, decode_cholesky, spd_inverse},
               {"spdSolve", {{"a", input}, {"b", input}, {"out", output}}, true, decode_cholesky, spd_solve},
               {"kronApply",
                {{"a", optional_input}, {"x", input}, {"b", optional_input}, {"out", output}},
                false,
                decode_kron_apply,
                kron_apply},
               {"modeProduct",
                {{"x", input},
                 {"factors[0]", optional_input},
                 {"factors[1]", optional_input},
                 {"factors[2]", optional_input},
                 {"factors[3]", optional_input},
                 {"factors[4]", optional_input},
                 {"factors[5]", optional_input},
                 {"factors[6]", optional_input},
                 {"factors[7]", optional_input},
                 {"out", output}},
                false,
                decode_mode_product,
                mode_product},
               {"kronSolve",
                {{"a.vectors", optional_input},
                 {"a.values", optional_input, columns},
                 {"b.vectors", optional_input},
                 {"b.values", optional_input, columns},
                 {"scale", optional_input},
                 {"x", input},
                 {"statistics", optional_update},
                 {"out", optional_output}},
                true,
                decode_kron_solve,
                kron_solve},
               {"qr", {{"a", input}, {"q", optional_output}, {"r", optional_output}}, true, decode_qr, qr},
               {"svd",
                {{"a", input}, {"s", output, columns}, {"u", optional_output}, {"v", optional_output}},
                true,
                decode_svd,
                svd},
               {"triangularSolve",
                {{"t", input}, {"b", input}, {"out", output}},
                true,
                decode_triangular_solve,
                triangular_solve},
               {"normEstimate", {{"a", input}, {"out", output, columns}}, true, decode_norm_estimate, norm_estimate},
           })
           .release();
  return table;
}

}  // namespace kronroot::addon
