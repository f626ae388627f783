#include "isa.hpp"

#include <cstring>

#include "../core/crossovers.hpp"
#include "isa/amx.hpp"

namespace kronroot::cpu {
namespace {

// __builtin_cpu_supports asks CPUID and whether the operating system saves the registers.
#if defined(__x86_64__)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

const KernelSet& amx_kernels() {
  static constexpr Bf16Kernels unit = {amx_pack, amx_multiply, amx_row_magnitudes, amx_largest_magnitude};
  static const KernelSet kernels = [] {
    KernelSet set = avx512_kernels();
    set.isa = Isa::amx;
    set.name = "amx";
    set.f32.bf16 = &unit;
    set.f32.split_order = built_in_crossovers(set.name).split_order;
    return set;
  }();
  return kernels;
}
#endif

}  // namespace

const KernelSet& best_kernels() {
#if defined(__x86_64__)
  if (has_avx512() && has_amx()) return amx_kernels();
  if (has_avx512()) return avx512_kernels();
  if (has_avx2()) return avx2_kernels();
#endif
  return baseline_kernels();
}

const KernelSet* find_kernels(const char* name) {
  if (std::strcmp(name, "baseline") == 0) return &baseline_kernels();
#if defined(__x86_64__)
  if (std::strcmp(name, "avx2") == 0 && has_avx2()) return &avx2_kernels();
  if (std::strcmp(name, "avx512") == 0 && has_avx512()) return &avx512_kernels();
  if (std::strcmp(name, "amx") == 0 && has_avx512() && has_amx()) return &amx_kernels();
#endif
  return nullptr;
}

const char* available_isas() {
#if defined(__x86_64__)
  if (has_avx512() && has_amx()) return "baseline, avx2, avx512, amx";
  if (has_avx512()) return "baseline, avx2, avx512";
  if (has_avx2()) return "baseline, avx2";
#endif
  return "baseline";
}

}  // namespace kronroot::cpu
