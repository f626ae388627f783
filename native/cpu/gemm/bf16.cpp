#include "bf16.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#endif

namespace kronroot::cpu {

#if defined(__x86_64__) && defined(__linux__)
namespace {

bool has_instructions() {
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;  // leaf 7.0, edx
  constexpr unsigned kAvx512Bf16 = 1u << 5;                     // leaf 7.1, eax
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & kAmxBf16) == 0 || (edx & kAmxTile) == 0) return false;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvx512Bf16) != 0;
}

// Linux saves the tiles of a process only once it has asked (Documentation/arch/x86/xstate.rst).
bool is_permitted() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

const Bf16Kernels* bf16_kernels(const KernelSet& set) {
  static const bool is_available = has_instructions() && is_permitted();
  static constexpr Bf16Kernels kernels = {amx_pack, amx_multiply, amx_largest_magnitude};
  return set.isa == Isa::avx512 && is_available ? &kernels : nullptr;
}
#else
const Bf16Kernels* bf16_kernels(const KernelSet&) { return nullptr; }
#endif

}  // namespace kronroot::cpu
