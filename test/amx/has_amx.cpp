// In the place of native/cpu/isa/has_amx.cpp: emulated tiles need no processor that has them.
#include "native/cpu/isa/amx.hpp"

namespace kronroot::cpu {

bool has_amx() { return true; }

}  // namespace kronroot::cpu
