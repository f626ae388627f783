// The table of the CUDA backend, the one symbol that the plugin exports.
#include "device.hpp"
#include "ops.hpp"

extern "C" __attribute__((visibility("default"))) const kr_backend* kr_cuda_backend(uint32_t want_abi) {
  namespace cuda = kronroot::cuda;
  static constexpr kr_backend backend = {
      .abi = KR_ABI,
      .size = sizeof(kr_backend),
      .name = "cuda",
      .open = cuda::open,
      .close = cuda::close,
      .info = cuda::info,
      .allocate = cuda::allocate,
      .release = cuda::release,
      .upload = cuda::upload,
      .download = cuda::download,
      .matmul = cuda::matmul,
      .gram = cuda::gram,
      .eigh = cuda::eigh,
      .inverse_root = cuda::inverse_root,
      .orthogonalize = cuda::orthogonalize,
      .cholesky = cuda::cholesky,
      .spd_inverse = cuda::spd_inverse,
      .spd_solve = cuda::spd_solve,
      .kron_apply = cuda::kron_apply,
      .elementwise_update = cuda::elementwise_update,
      .reduce = cuda::reduce,
      .mode_product = cuda::mode_product,
      .kron_solve = cuda::kron_solve,
      .qr = cuda::qr,
      .svd = cuda::svd,
      .triangular_solve = cuda::triangular_solve,
      .norm_estimate = cuda::norm_estimate,
      .synchronize = cuda::synchronize,
      .fill_failed = cuda::fill_failed,
  };
  return want_abi == KR_ABI ? &backend : nullptr;
}
