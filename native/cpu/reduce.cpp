// One number for each of many arrays.
#include <cmath>
#include <new>
#include <vector>

#include "../core/check.hpp"
#include "batch_loop.hpp"
#include "chunks.hpp"
#include "device.hpp"

namespace kronroot::cpu {
namespace {

// As in elementwise_update.cpp, for one or two arrays that are only read.
constexpr double kFlopsPerElement = 15;

template <typename T>
double of_chunk(const Kernels<T>& kernels, int32_t kind, const kr_reduce_array& array, const Chunk& chunk) {
  const T* x = static_cast<const T*>(array.x) + chunk.first;
  if (kind == KR_REDUCE_LARGEST) return static_cast<double>(kernels.largest_magnitude(chunk.count, x));
  return kernels.dot(chunk.count, x, array.y == nullptr ? x : static_cast<const T*>(array.y) + chunk.first);
}

double together(int32_t kind, double result, double part) {
  if (kind == KR_REDUCE_DOT) return result + part;
  return std::isnan(result) || result > part ? result : part;  // NaN where one of them is
}

template <typename T>
kr_code run(const kr_call* call, int32_t kind, const kr_reduce_array* arrays, int64_t count, double* results) {
  const Kernels<T>& kernels = kernels_of<T>(*call->device->kernels);
  const Chunks chunks(arrays, count);
  std::vector<double> parts(static_cast<size_t>(chunks.count()));
  auto reduce_chunk = [&](int64_t index) {
    const Chunk chunk = chunks[index];
    parts[static_cast<size_t>(index)] = of_chunk(kernels, kind, arrays[chunk.array], chunk);
  };
  const double flops = kFlopsPerElement * static_cast<double>(kChunk);
  if (const kr_code code = for_each(call, chunks.count(), flops, reduce_chunk)) return code;
  int64_t next = 0;
  for (int64_t i = 0; i < count; ++i) {
    results[i] = 0;
    for (const int64_t end = chunks.end_of(i); next < end; ++next) {
      results[i] = together(kind, results[i], parts[static_cast<size_t>(next)]);
    }
  }
  return KR_OK;
}

}  // namespace

kr_code reduce(const kr_call* call, const kr_reduce_options* given, const kr_reduce_array* arrays, int64_t count,
               double* results) try {
  if (const kr_code code = check_reduce(call, given, arrays, count, results)) return code;
  const kr_reduce_options options = given == nullptr ? kr_reduce_options{} : *given;
  return options.dtype == KR_F32 ? run<float>(call, options.kind, arrays, count, results)
                                 : run<double>(call, options.kind, arrays, count, results);
} catch (const std::bad_alloc&) {
  return fail(call, KR_OUT_OF_MEMORY, "no memory for the list of chunks");
}

}  // namespace kronroot::cpu
