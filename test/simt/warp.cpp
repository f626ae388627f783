#include "warp.hpp"

namespace simt {

const char* vote(Warp& warp, uint32_t mask) {
  uint32_t votes = 0;
  for (int lane = 0; lane < warp_size; ++lane) votes |= (warp.given[0][lane] & 1) << lane;
  for (int lane = 0; lane < warp_size; ++lane) {
    if ((mask >> lane & 1) != 0) warp.taken[0][lane] = votes & mask;
  }
  return nullptr;
}

}  // namespace simt
