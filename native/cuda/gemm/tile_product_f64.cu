// Products in f64 by tiles. 96 KB of shared memory a block with large tiles, 48 KB with small ones.
#include "tile_product.cuh"

namespace kronroot::cuda {

template <>
void multiply_in_tiles(int order, Op& op, const Product<double>& product) {
  order == 128 ? launch_layout<double, 128, 64, 32, 8, 4>(op, product)
               : launch_layout<double, 64, 32, 32, 8, 4>(op, product);
}

}  // namespace kronroot::cuda
