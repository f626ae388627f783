// Kernels with one instruction of each kind, for codegen.test.ts: what the device language becomes on hardware.
#include "../../native/cuda/device.cuh"

namespace kronroot::cuda {

__global__ void half_product(float* out, Global<const Half> in) {
  SharedArena arena;
  const Shared<Half> tile = arena.take<Half>(1024);
  copy_async<16>(tile, thread_index() * 8, in, thread_index() * 8);
  commit_copies();
  wait_for_copies<0>();
  sync_block();
  uint32_t a[4], b[2];
  load_matrices<4>(a, tile, thread_index() * 8);
  load_matrices<2, true>(b, tile, thread_index() * 8);
  float d[4] = {};
  mma_m16n8k16<Half>(d, a, b);
  out[thread_index()] = d[0] + d[1] + d[2] + d[3];
}

__global__ void tf32_product(float* out, const float* in) {
  const uint32_t a[4] = {to_tf32(in[0]), to_tf32(in[1]), to_tf32(in[2]), to_tf32(in[3])};
  const uint32_t b[2] = {to_tf32(in[4]), to_tf32(in[5])};
  float d[4] = {};
  mma_m16n8k8_tf32(d, a, b);
  out[thread_index()] = d[0] + d[1] + d[2] + d[3];
}

__global__ void double_product(double* out, const double* in) {
  double d[2] = {};
  mma_m8n8k4_f64(d, in[thread_index()], in[thread_index() + 32]);
  out[thread_index()] = d[0] + d[1];
}

}  // namespace kronroot::cuda
