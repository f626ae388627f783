// The planner on tables of crossovers, and the text format of these.
#include "native/core/planner.hpp"

#include <string>

#include "test/native/expect.hpp"

using namespace kronroot;

namespace {

std::string refusal(const char* text) {
  std::string message;
  EXPECT(parse_crossovers(text, "avx512", &message) == nullptr);
  return message;
}

TEST("crossovers: every instruction set has rows in the table that is built in") {
  for (const char* isa : {"avx512", "avx2", "baseline"}) {
    const Crossovers& table = built_in_crossovers(isa);
    EXPECT(!table.lanes.empty());
    EXPECT(&table == &built_in_crossovers(isa));
  }
  EXPECT(built_in_crossovers("none such").lanes.empty());
}

TEST("crossovers: rows of one instruction set are read, comments and blank lines passed over") {
  std::string message;
  const auto table = parse_crossovers(
      "# a table\n\nlanes avx512 eigh f32 64 3 # tail\r\nlanes avx512 eigh f32 16 1\n"
      "  lanes avx2 eigh f32 8 2\nminimax avx512 f64 5 1e4 33 200",
      "avx512", &message);
  EXPECT(table != nullptr);
  EXPECT(table->lanes.size() == 2);
  EXPECT(table->minimax.size() == 1);
  EXPECT(plan_lanes(*table, LaneOp::eigh, KR_F32, 16, 1));
  EXPECT(!plan_lanes(*table, LaneOp::eigh, KR_F32, 17, 2));
  EXPECT(plan_lanes(*table, LaneOp::eigh, KR_F32, 64, 3));
  EXPECT(!plan_lanes(*table, LaneOp::eigh, KR_F32, 65, 1000));
  EXPECT(!plan_lanes(*table, LaneOp::eigh, KR_F64, 4, 1000));
  EXPECT(!plan_lanes(*table, LaneOp::cholesky, KR_F32, 4, 1000));
  EXPECT(plan_inverse_root(*table, 33, {4, 1, true}, 1e4, KR_F64) == KR_METHOD_MINIMAX);
  EXPECT(plan_inverse_root(*table, 32, {4, 1, true}, 1e4, KR_F64) == KR_METHOD_PARTIAL_FRACTIONS);
  EXPECT(plan_inverse_root(*table, 33, {4, 1, true}, 1.1e4, KR_F64) == KR_METHOD_PARTIAL_FRACTIONS);
}

TEST("crossovers: amx has the rows of avx512 and its own") {
  std::string message;
  const std::string text = "lanes avx512 eigh f32 64 3\nsplit amx 96\nlanes avx2 eigh f32 8 2";
  EXPECT(kronroot::parse_crossovers(text, "amx", &message)->split_order == 96);
  EXPECT(kronroot::parse_crossovers(text, "amx", &message)->lanes.size() == 1);
  EXPECT(kronroot::parse_crossovers(text, "avx512", &message)->split_order == INT64_MAX);
  EXPECT(built_in_crossovers("amx").lanes.size() == built_in_crossovers("avx512").lanes.size());
  EXPECT_CONTAINS(refusal("split amx 0"), "ORDER, an integer of at least 1, got \"0\"");
}

TEST("crossovers: a wrong row is refused with its line and the word that was not expected") {
  EXPECT_CONTAINS(refusal("\nlanes avx512 eigh f16 64 3"), "line 2: expected f32 or f64, got \"f16\"");
  EXPECT_CONTAINS(refusal("lanes avx512 lu f32 64 3"), "expected an op with lanes, got \"lu\"");
  EXPECT_CONTAINS(refusal("lanes avx512 eigh f32 64 0"), "BATCH, an integer of at least 1, got \"0\"");
  EXPECT_CONTAINS(refusal("lanes avx512 eigh f32 64"), "got \"\"");
  EXPECT_CONTAINS(refusal("lanes avx512 eigh f32 6x 1"), "N, an integer");
  EXPECT_CONTAINS(refusal("lanes avx512 eigh f32 64 3 9"), "the end of the row, got \"9\"");
  EXPECT_CONTAINS(refusal("minimax avx512 f32 4 nan 0 32"), "CONDITION");
  EXPECT_CONTAINS(refusal("lane avx512"), "lanes, minimax or split, got \"lane\"");
  // Rows of other instruction sets are checked too: the file is for all of them.
  EXPECT_CONTAINS(refusal("lanes avx2 eigh f32 64 zero"), "BATCH");
}

TEST("plan_inverse_root: Cholesky for p = 1, partial fractions where an iteration would be slower, eigh for the rest") {
  const Crossovers& table = built_in_crossovers("avx512");
  EXPECT(plan_inverse_root(table, 256, {1, 1, true}, 1e6, KR_F32) == KR_METHOD_CHOLESKY);
  EXPECT(plan_inverse_root(table, 256, {1, 1, false}, 1e6, KR_F32) == KR_METHOD_EIGH);
  EXPECT(plan_inverse_root(table, 16, {4, 1, true}, 1e4, KR_F32) == KR_METHOD_PARTIAL_FRACTIONS);
  EXPECT(plan_inverse_root(table, 16, {4, 1, true}, 1e9, KR_F32) == KR_METHOD_PARTIAL_FRACTIONS);
  EXPECT(plan_inverse_root(table, 4096, {4, 1, true}, 1e2, KR_F32) == KR_METHOD_PARTIAL_FRACTIONS);
  EXPECT(plan_inverse_root(table, 64, {4, 3, true}, 1e2, KR_F32) == KR_METHOD_PARTIAL_FRACTIONS);
  EXPECT(plan_inverse_root(table, 64, {3, 4, true}, 1e2, KR_F32) == KR_METHOD_EIGH);
  EXPECT(plan_inverse_root(table, 64, {4, 1, false}, 1e2, KR_F32) == KR_METHOD_EIGH);
  EXPECT(plan_inverse_root(table, 16, {63, 1, true}, 1e2, KR_F64) == KR_METHOD_EIGH);
  EXPECT(minimax_wide_steps(8, 7) == 7);
  EXPECT(minimax_wide_steps(128, 7) < 7);
}

}  // namespace
