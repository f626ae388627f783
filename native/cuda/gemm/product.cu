#include "product.hpp"

#include <algorithm>

#include "product_kernels.hpp"

namespace kronroot::cuda {

template <typename T>
ProductKernel choose_kernel(const Product<T>& product, int multiprocessors) {
  const ProductCrossovers& at = product_crossovers;
  const int64_t longest = std::max(product.c.rows, product.c.cols);
  if (longest <= at.largest_in_warp && depth_of(product) <= at.deepest_in_warp) {
    if (longest <= 8) return ProductKernel::warp_8;
    return longest <= 16 ? ProductKernel::warp_16 : ProductKernel::warp_32;
  }
  if (std::min(product.c.rows, product.c.cols) < at.smallest_in_large_tiles) return ProductKernel::tile_64;
  const auto tiles = [](int64_t length) { return static_cast<double>((length + 127) / 128); };
  const double of_all = static_cast<double>(product.c.batch) * static_cast<double>(product.parts.count) *
                        tiles(product.c.rows) * tiles(product.c.cols) / (product.symmetric ? 2 : 1);
  return of_all >= at.large_tiles_per_multiprocessor * multiprocessors ? ProductKernel::tile_128
                                                                       : ProductKernel::tile_64;
}

template <typename T>
void multiply_with(ProductKernel kernel, Op& op, const Product<T>& product) {
  switch (kernel) {
    case ProductKernel::warp_8:
      return multiply_in_warps(8, op, product);
    case ProductKernel::warp_16:
      return multiply_in_warps(16, op, product);
    case ProductKernel::warp_32:
      return multiply_in_warps(32, op, product);
    case ProductKernel::tile_64:
      return multiply_in_tiles(64, op, product);
    case ProductKernel::tile_128:
      return multiply_in_tiles(128, op, product);
  }
}

template <typename T>
void multiply(Op& op, const Product<T>& product) {
  if (product.c.batch * product.parts.count * product.c.rows * product.c.cols == 0) return;
  multiply_with(choose_kernel(product, op.device().multiprocessors), op, product);
}

template ProductKernel choose_kernel(const Product<float>&, int);
template ProductKernel choose_kernel(const Product<double>&, int);
template void multiply_with(ProductKernel, Op&, const Product<float>&);
template void multiply_with(ProductKernel, Op&, const Product<double>&);
template void multiply(Op&, const Product<float>&);
template void multiply(Op&, const Product<double>&);

}  // namespace kronroot::cuda
