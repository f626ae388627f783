#include "crossovers.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>

#include "../include/kronroot/types.h"

namespace kronroot {
namespace {

constexpr std::string_view built_in =
#include "crossovers.inc"
    ;

constexpr std::string_view lane_ops[] = {
    "matmul",    "gram",          "eigh", "eigh_values", "inverse_root",     "cholesky",      "spd_inverse",
    "spd_solve", "orthogonalize", "qr",   "svd",         "triangular_solve", "spectral_norm", "exact_norm"};

// The words of a line, up to a comment.
std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty()) return words;
    words.push_back(line.substr(0, line.find_first_of(" \t\r")));
    line.remove_prefix(words.back().size());
  }
}

// Takes a row word by word; after the first word that is not what was expected, `problem` says so.
class Row {
 public:
  explicit Row(std::vector<std::string_view> words) : words_(std::move(words)) {}

  std::string_view word() { return next_ < words_.size() ? words_[next_++] : std::string_view{}; }
  int64_t integer(const char* name, int64_t least) {
    const std::string_view text = word();
    int64_t value = least;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
    if (error != std::errc{} || end != text.end() || value < least) {
      expected(std::string(name) + ", an integer of at least " + std::to_string(least), text);
    }
    return value;
  }
  double real(const char* name) {
    const std::string_view text = word();
    double value = 1;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
    if (error != std::errc{} || end != text.end() || !(value >= 1)) {
      expected(std::string(name) + ", a number of at least 1", text);
    }
    return value;
  }
  int32_t dtype() {
    const std::string_view text = word();
    if (text != "f32" && text != "f64") expected("f32 or f64", text);
    return text == "f64" ? KR_F64 : KR_F32;
  }
  LaneOp op() {
    const std::string_view text = word();
    const auto* found = std::find(std::begin(lane_ops), std::end(lane_ops), text);
    if (found == std::end(lane_ops)) expected("an op with lanes", text);
    return static_cast<LaneOp>(found - std::begin(lane_ops));
  }
  void end() {
    if (next_ < words_.size()) expected("the end of the row", words_[next_]);
  }
  void expected(const std::string& what, std::string_view got) {
    if (problem.empty()) problem = "expected " + what + ", got \"" + std::string(got) + "\"";
  }

  std::string problem;

 private:
  std::vector<std::string_view> words_;
  size_t next_ = 0;
};

// Adds the row to the table where it is of `isa`; the text of what is wrong with it, or nothing.
std::string read_row(std::vector<std::string_view> words, std::string_view isa, Crossovers* table) {
  if (words.empty()) return {};
  Row row(std::move(words));
  const std::string_view kind = row.word();
  const std::string_view row_isa = row.word();
  const bool is_ours = row_isa == isa || (isa == "amx" && row_isa == "avx512");
  if (kind == "lanes") {
    const LaneOp op = row.op();
    const int32_t dtype = row.dtype();
    const int64_t largest_n = row.integer("N", 0), least_batch = row.integer("BATCH", 1);
    if (is_ours) table->lanes.push_back({op, dtype, largest_n, least_batch});
  } else if (kind == "minimax") {
    const int32_t dtype = row.dtype();
    const int products = static_cast<int>(row.integer("PRODUCTS", 3));
    const double condition = row.real("CONDITION");
    const int64_t least_n = row.integer("FROM", 0), largest_n = row.integer("N", 0);
    if (is_ours) table->minimax.push_back({dtype, products, condition, least_n, largest_n});
  } else if (kind == "split") {
    const int64_t order = row.integer("ORDER", 1);
    if (is_ours) table->split_order = order;
  } else {
    row.expected("lanes, minimax or split", kind);
  }
  row.end();
  return row.problem;
}

}  // namespace

std::unique_ptr<const Crossovers> parse_crossovers(std::string_view text, std::string_view isa, std::string* message) {
  auto table = std::make_unique<Crossovers>();
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t length = std::min(text.find('\n'), text.size());
    const std::string problem = read_row(words_of(text.substr(0, length)), isa, table.get());
    if (!problem.empty()) {
      *message = "line " + std::to_string(line) + ": " + problem;
      return nullptr;
    }
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  const auto by_n = [](const Crossovers::Lanes& a, const Crossovers::Lanes& b) { return a.largest_n < b.largest_n; };
  std::stable_sort(table->lanes.begin(), table->lanes.end(), by_n);
  return table;
}

const Crossovers& built_in_crossovers(std::string_view isa) {
  static std::mutex mutex;
  // Leaked on purpose: worker threads may outlive static destructors.
  static auto& tables = *new std::map<std::string, std::unique_ptr<const Crossovers>, std::less<>>;
  const std::lock_guard lock(mutex);
  auto found = tables.find(isa);
  if (found == tables.end()) {
    std::string message;
    auto table = parse_crossovers(built_in, isa, &message);
    if (table == nullptr) table = std::make_unique<Crossovers>();  // a test parses the text
    found = tables.emplace(std::string(isa), std::move(table)).first;
  }
  return *found->second;
}

}  // namespace kronroot
