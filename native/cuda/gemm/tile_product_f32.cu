// Products in f32 by tiles: three products of tf32 parts. 80 KB of shared memory a block with large tiles, 40 KB with
// small ones.
#include "tile_product.cuh"

namespace kronroot::cuda {

template <>
void multiply_in_tiles(int order, Op& op, const Product<float>& product) {
  order == 128 ? launch_layout<float, 128, 64, 32, 16, 4>(op, product)
               : launch_layout<float, 64, 32, 32, 16, 4>(op, product);
}

}  // namespace kronroot::cuda
