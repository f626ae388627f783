// The test harness: cases register themselves, expectations count, main() prints `N passed, N failed` last.
//
//   TEST("check: what it promises") { EXPECT(x == 1); EXPECT_NEAR(y, 2.0, 1e-12); }
#pragma once

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace kronroot::test {

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

// Failed expectations of the case that runs.
inline int& failures() {
  static int count = 0;
  return count;
}

struct Registration {
  Registration(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

inline void report_failure(const char* file, int line, const std::string& what) {
  ++failures();
  std::printf("  %s:%d: %s\n", file, line, what.c_str());
}

inline void expect(bool holds, const char* expression, const char* file, int line) {
  if (!holds) report_failure(file, line, expression);
}

// NaN is near nothing.
inline void expect_near(double actual, double expected, double tolerance, const char* expression, const char* file,
                        int line) {
  if (std::abs(actual - expected) <= tolerance || actual == expected) return;
  char text[256];
  std::snprintf(text, sizeof text, "%s = %.17g, expected %.17g within %g", expression, actual, expected, tolerance);
  report_failure(file, line, text);
}

inline void expect_contains(const std::string& text, const std::string& part, const char* file, int line) {
  if (text.find(part) == std::string::npos) report_failure(file, line, "\"" + text + "\" lacks \"" + part + "\"");
}

inline int run_all() {
  int passed = 0, failed = 0;
  for (const Case& each : cases()) {
    failures() = 0;
    each.run();
    ++(failures() == 0 ? passed : failed);
    if (failures() > 0) std::printf("FAILED  %s\n", each.name);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace kronroot::test

#define KRONROOT_JOIN_(x, y) x##y
#define KRONROOT_JOIN(x, y) KRONROOT_JOIN_(x, y)
#define TEST(name)                                                                                                  \
  static void KRONROOT_JOIN(test_, __LINE__)();                                                                     \
  static const kronroot::test::Registration KRONROOT_JOIN(registration_, __LINE__)(name,                            \
                                                                                   KRONROOT_JOIN(test_, __LINE__)); \
  static void KRONROOT_JOIN(test_, __LINE__)()
#define EXPECT(condition) kronroot::test::expect((condition), #condition, __FILE__, __LINE__)
#define EXPECT_NEAR(actual, expected, tolerance) \
  kronroot::test::expect_near((actual), (expected), (tolerance), #actual, __FILE__, __LINE__)
#define EXPECT_CONTAINS(text, part) kronroot::test::expect_contains((text), (part), __FILE__, __LINE__)

// Asking for more memory than there is has to end in a return code under the sanitizers too.
extern "C" {
__attribute__((visibility("default"))) const char* __asan_default_options() { return "allocator_may_return_null=1"; }
__attribute__((visibility("default"))) const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

int main() { return kronroot::test::run_all(); }
