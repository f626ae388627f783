// native/cpu/isa/amx.cpp on emulated tiles.
#include "emulated_tiles.hpp"
#include "native/cpu/isa/amx.cpp"
