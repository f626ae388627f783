// One step of an elementwise rule over many arrays.
#include <algorithm>
#include <new>

#include "../core/check.hpp"
#include "batch_loop.hpp"
#include "cancel.hpp"
#include "chunks.hpp"
#include "device.hpp"

namespace kronroot::cpu {
namespace {

// A chunk is bound by memory: an element takes the time of about so many flop of a product.
constexpr double kFlopsPerElement = 60;

template <typename T>
kr_code run(const kr_call* call, int32_t kind, const kr_update_array* arrays, int64_t count, int32_t* finite) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const Chunks chunks(arrays, count);
  if (is_cancelled(call->cancel)) return fail(call, KR_CANCELLED, "cancelled by the caller");
  kr_call whole = *call;
  whole.cancel = nullptr;  // nothing is left half updated
  if (finite != nullptr) std::fill_n(finite, count, 1);
  auto update = [&](int64_t index) {
    const Chunk chunk = chunks[index];
    const bool is_finite = kernels.update(kind, arrays[chunk.array], chunk.first, chunk.count);
    if (!is_finite && finite != nullptr) __atomic_store_n(&finite[chunk.array], 0, __ATOMIC_RELAXED);
  };
  return for_each(&whole, chunks.count(), kFlopsPerElement * static_cast<double>(kChunk), update);
}

}  // namespace

kr_code elementwise_update(const kr_call* call, const kr_elementwise_update_options* given,
                           const kr_update_array* arrays, int64_t count, int32_t* finite) try {
  if (const kr_code code = check_elementwise_update(call, given, arrays, count)) return code;
  const kr_elementwise_update_options options = given == nullptr ? kr_elementwise_update_options{} : *given;
  return options.dtype == KR_F32 ? run<float>(call, options.kind, arrays, count, finite)
                                 : run<double>(call, options.kind, arrays, count, finite);
} catch (const std::bad_alloc&) {
  return fail(call, KR_OUT_OF_MEMORY, "no memory for the list of chunks");
}

}  // namespace kronroot::cpu
