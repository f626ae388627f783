// The function table of the fp64 reference: plain host memory, one thread.
#include "../include/kronroot/backend.h"

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <new>

#include "../core/aligned_memory.hpp"
#include "../core/check.hpp"
#include "ops.hpp"

namespace kronroot::reference {
namespace {

// kr_device is opaque to everybody else; each backend means its own type by it.
struct Device {
  std::atomic<int64_t> bytes_allocated{0};
};

Device* device_of(kr_device* device) { return reinterpret_cast<Device*>(device); }

kr_code open(const kr_call* call, const kr_device_options* options, kr_device** device) {
  if (options != nullptr && options->ordinal != 0) {
    return fail(call, KR_NO_DEVICE, "ordinal: the reference backend has one device, 0, got %d",
                static_cast<int>(options->ordinal));
  }
  auto* opened = new (std::nothrow) Device;
  if (opened == nullptr) return fail(call, KR_OUT_OF_MEMORY, "no memory for a device of the reference backend");
  *device = reinterpret_cast<kr_device*>(opened);
  return KR_OK;
}

void close(kr_device* device) { delete device_of(device); }

kr_code info(const kr_call* call, kr_device_info* info) {
  *info = {};
  std::snprintf(info->name, sizeof info->name, "reference");
  std::snprintf(info->isa, sizeof info->isa, "plain f64");
  info->threads = 1;
  info->bytes_allocated = device_of(call->device)->bytes_allocated;
  return KR_OK;
}

kr_code allocate(const kr_call* call, int64_t bytes, void** data) {
  if (bytes < 0) return fail(call, KR_BAD_SHAPE, "bytes: expected a number >= 0, got %" PRId64, bytes);
  *data = nullptr;
  if (bytes == 0) return KR_OK;
  *data = allocate_aligned(bytes);
  if (*data == nullptr) return fail(call, KR_OUT_OF_MEMORY, "no memory for %" PRId64 " bytes", bytes);
  device_of(call->device)->bytes_allocated += bytes;
  return KR_OK;
}

void release(kr_device* device, void* data, int64_t bytes) {
  if (data == nullptr) return;
  release_aligned(data);
  device_of(device)->bytes_allocated -= bytes;
}

kr_code copy(const kr_call* call, void* to, const void* from, int64_t bytes) {
  if (bytes < 0) return fail(call, KR_BAD_SHAPE, "bytes: expected a number >= 0, got %" PRId64, bytes);
  if (bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
  return KR_OK;
}

constexpr kr_backend table = {
    .abi = KR_ABI,
    .size = sizeof(kr_backend),
    .name = "reference",
    .open = open,
    .close = close,
    .info = info,
    .allocate = allocate,
    .release = release,
    .upload = copy,
    .download = copy,
    .matmul = matmul,
    .gram = gram,
    .eigh = eigh,
    .inverse_root = inverse_root,
    .orthogonalize = orthogonalize,
    .cholesky = cholesky,
    .spd_inverse = spd_inverse,
    .spd_solve = spd_solve,
    .kron_apply = kron_apply,
    .elementwise_update = elementwise_update,
    .reduce = reduce,
    .mode_product = mode_product,
    .kron_solve = kron_solve,
    .qr = qr,
    .svd = svd,
    .triangular_solve = triangular_solve,
    .norm_estimate = norm_estimate,
    .synchronize = nullptr,
    .fill_failed = nullptr,
};

}  // namespace
}  // namespace kronroot::reference

const kr_backend* kr_reference_backend(void) { return &kronroot::reference::table; }
