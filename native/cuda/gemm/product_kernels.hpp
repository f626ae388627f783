// The kernels behind multiply, and which one takes a product.
#pragma once

#include "product.hpp"

namespace kronroot::cuda {

enum class ProductKernel {
  // Several matrices of order 8 or 16, or one of order 32, to a warp; FMA.
  warp_8,
  warp_16,
  warp_32,
  // One block a tile of C of this order, on the matrix unit; both have the same bits.
  tile_64,
  tile_128,
};

// Measured on ... by bench/cuda/products.cpp.
struct ProductCrossovers {
  // C and depth of what a warp takes.
  int64_t largest_in_warp = 32;
  int64_t deepest_in_warp = 128;
  // Large tiles where both sides of C have so many rows and there are so many tiles for a multiprocessor.
  int64_t smallest_in_large_tiles = 96;
  double large_tiles_per_multiprocessor = 1;
};
inline constexpr ProductCrossovers product_crossovers;

template <typename T>
int64_t depth_of(const Product<T>& product) {
  return product.transpose_a ? product.a.rows : product.a.cols;
}

// By shape alone, but for the two kernels with the same bits.
template <typename T>
ProductKernel choose_kernel(const Product<T>& product, int multiprocessors);

// With the kernel that is named; a warp's kernel takes C of at most its order.
template <typename T>
void multiply_with(ProductKernel kernel, Op& op, const Product<T>& product);

// `order` is 8, 16 or 32.
template <typename T>
void multiply_in_warps(int order, Op& op, const Product<T>& product);

// `order` is 64 or 128.
template <typename T>
void multiply_in_tiles(int order, Op& op, const Product<T>& product);

}  // namespace kronroot::cuda
