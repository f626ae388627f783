#include "device.hpp"

namespace simt {

void barrier() { Block::current().barrier(KRONROOT_SITE); }
void named_barrier(int id, int threads) { Block::current().named_barrier(id, threads, KRONROOT_SITE); }
int collective(uint32_t mask, const void* value, std::size_t bytes, bool predicate) {
  return Block::current().collective(mask, value, bytes, predicate, KRONROOT_SITE);
}

}  // namespace simt
