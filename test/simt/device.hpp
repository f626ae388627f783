// The device language of native/cuda/device.cuh, emulated. Each function does what the PTX ISA says of the instruction
// in its comment, and checks what hardware leaves undefined.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "block.hpp"

namespace kronroot::cuda {

inline constexpr int warp_size = 32;
inline constexpr uint32_t full_warp = ~0u;

// %tid.x, %ntid.x, %ctaid, %nctaid.
inline int thread_index() { return simt::Block::current().thread().index; }
inline int block_threads() { return simt::Block::current().shape().threads; }
inline int64_t block_index() { return simt::Block::current().index().x; }
inline int block_index_y() { return static_cast<int>(simt::Block::current().index().y); }
inline int block_index_z() { return static_cast<int>(simt::Block::current().index().z); }
inline int64_t block_count() { return simt::Block::current().shape().blocks.x; }
inline int lane_index() { return simt::Block::current().lane(); }
inline int warp_index() { return thread_index() / warp_size; }
inline int warp_count() { return block_threads() / warp_size; }

// bar.sync 0; bar.sync id, threads.
inline void sync_block(simt::Site site = simt::Site::current()) { simt::Block::current().barrier(site); }
inline void sync_threads_of(int barrier, int threads, simt::Site site = simt::Site::current()) {
  simt::Block::current().named_barrier(barrier, threads, site);
}

}  // namespace kronroot::cuda

#include "atomics.hpp"
#include "copy_async.hpp"
#include "global.hpp"
#include "matrix_unit.hpp"
#include "number_formats.hpp"
#include "shared.hpp"
#include "vectors.hpp"
#include "warp.hpp"
