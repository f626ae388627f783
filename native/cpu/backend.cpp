// The function table of the CPU backend, and its devices.
#include "../include/kronroot/backend.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "../core/aligned_memory.hpp"
#include "../core/check.hpp"
#include "device.hpp"
#include "isa.hpp"
#include "pool.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace kronroot::cpu {
namespace {

constexpr int kMostThreads = 1024;
// The processor's own name ("AMD EPYC ..."), without the blanks around it.
void write_processor_name(char* name, std::size_t size) {
  char brand[49] = "CPU";
#if defined(__x86_64__)
  unsigned words[12];
  bool known = true;
  for (unsigned leaf = 0; leaf < 3; ++leaf) {  // CPUID leaves 0x80000002..4: 16 characters each
    unsigned* w = words + 4 * leaf;
    known = known && __get_cpuid(0x80000002u + leaf, &w[0], &w[1], &w[2], &w[3]) != 0;
  }
  if (known) std::memcpy(brand, words, sizeof words);
#endif
  const char* first = brand + std::strspn(brand, " ");
  std::size_t length = std::strlen(first);
  while (length > 0 && first[length - 1] == ' ') --length;
  std::snprintf(name, size, "%.*s", static_cast<int>(length), first);
}

kr_code choose_threads(const kr_call* call, int32_t asked, int* threads) {
  if (asked < 0 || asked > kMostThreads) {
    return fail(call, KR_BAD_OPTION, "threads: expected 0 (KRONROOT_THREADS, else all cores) to %d, got %d",
                kMostThreads, asked);
  }
  *threads = asked;
  if (asked > 0) return KR_OK;
  const char* text = std::getenv("KRONROOT_THREADS");
  if (text == nullptr || *text == '\0') {
    *threads = std::min(available_cores(), kMostThreads);
    return KR_OK;
  }
  char* end = nullptr;
  const long number = std::strtol(text, &end, 10);
  if (end == text || *end != '\0' || number < 1 || number > kMostThreads) {
    return fail(call, KR_BAD_OPTION, "KRONROOT_THREADS: expected an integer from 1 to %d, got \"%s\"", kMostThreads,
                text);
  }
  *threads = static_cast<int>(number);
  return KR_OK;
}

kr_code choose_kernels(const kr_call* call, const char* asked, const KernelSet** kernels) {
  const char* source = "isa";
  if (asked == nullptr) {
    source = "KRONROOT_ISA";
    asked = std::getenv(source);
  }
  if (asked == nullptr || *asked == '\0') {
    *kernels = &best_kernels();
    return KR_OK;
  }
  *kernels = find_kernels(asked);
  if (*kernels != nullptr) return KR_OK;
  return fail(call, KR_BAD_OPTION, "%s: this build and machine have %s; got \"%s\"", source, available_isas(), asked);
}

// The rows for `kernels` in the file that KRONROOT_CROSSOVERS names; nothing where it is not set.
kr_code read_crossovers(const kr_call* call, const KernelSet& kernels, std::unique_ptr<const Crossovers>* tuned) {
  const char* path = std::getenv("KRONROOT_CROSSOVERS");
  if (path == nullptr || *path == '\0') return KR_OK;
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open()) return fail(call, KR_BAD_OPTION, "KRONROOT_CROSSOVERS: no file \"%s\" to read", path);
  std::string message;
  *tuned = parse_crossovers(text, kernels.name, &message);
  if (*tuned == nullptr) return fail(call, KR_BAD_OPTION, "KRONROOT_CROSSOVERS: %s, %s", path, message.c_str());
  return KR_OK;
}

kr_code open(const kr_call* call, const kr_device_options* given, kr_device** device) {
  const kr_device_options options = given == nullptr ? kr_device_options{} : *given;
  *device = nullptr;
  if (options.ordinal != 0) {
    return fail(call, KR_NO_DEVICE, "ordinal: the CPU is one device, 0; got %d", options.ordinal);
  }
  int threads = 1;
  if (const kr_code code = choose_threads(call, options.threads, &threads)) return code;
  const KernelSet* kernels = nullptr;
  if (const kr_code code = choose_kernels(call, options.isa, &kernels)) return code;
  std::unique_ptr<const Crossovers> tuned;
  if (const kr_code code = read_crossovers(call, *kernels, &tuned)) return code;
  std::unique_ptr<kr_device> opened(new (std::nothrow) kr_device{kernels, threads});
  if (opened == nullptr) return fail(call, KR_OUT_OF_MEMORY, "no memory for a device");
  if (tuned != nullptr) {
    opened->tuned_kernels = *kernels;
    opened->tuned_kernels.f32.split_order = tuned->split_order;
    opened->kernels = &opened->tuned_kernels;
    opened->crossovers = tuned.get();
    opened->tuned = std::move(tuned);
  }
  *device = opened.release();
  return KR_OK;
}

// Calls are synchronous: when the last one has returned, nothing is in flight.
void close(kr_device* device) { const std::unique_ptr<kr_device> closed(device); }

kr_code info(const kr_call* call, kr_device_info* info) {
  *info = kr_device_info{};
  write_processor_name(info->name, sizeof info->name);
  std::snprintf(info->isa, sizeof info->isa, "%s", call->device->kernels->name);
  info->threads = call->device->threads;
  info->bytes_allocated = call->device->bytes_allocated.load();
  return KR_OK;
}

kr_code allocate(const kr_call* call, int64_t bytes, void** data) {
  *data = nullptr;
  if (bytes < 0) return fail(call, KR_BAD_OPTION, "bytes: expected 0 or more, got %lld", static_cast<long long>(bytes));
  if (bytes == 0) return KR_OK;
  *data = allocate_aligned(bytes);
  if (*data == nullptr) {
    return fail(call, KR_OUT_OF_MEMORY, "the system has no %lld bytes to give", static_cast<long long>(bytes));
  }
  call->device->bytes_allocated += bytes;
  return KR_OK;
}

void release(kr_device* device, void* data, int64_t bytes) {
  if (data == nullptr) return;
  release_aligned(data);
  device->bytes_allocated -= bytes;
}

// Device memory is host memory.
kr_code copy(const kr_call*, void* to, const void* from, int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
  return KR_OK;
}

}  // namespace
}  // namespace kronroot::cpu

const kr_backend* kr_cpu_backend(void) {
  namespace cpu = kronroot::cpu;
  static constexpr kr_backend backend = {
      .abi = KR_ABI,
      .size = sizeof(kr_backend),
      .name = "cpu",
      .open = cpu::open,
      .close = cpu::close,
      .info = cpu::info,
      .allocate = cpu::allocate,
      .release = cpu::release,
      .upload = cpu::copy,
      .download = cpu::copy,
      .matmul = cpu::matmul,
      .gram = cpu::gram,
      .eigh = cpu::eigh,
      .inverse_root = cpu::inverse_root,
      .orthogonalize = cpu::orthogonalize,
      .cholesky = cpu::cholesky,
      .spd_inverse = cpu::spd_inverse,
      .spd_solve = cpu::spd_solve,
      .kron_apply = cpu::kron_apply,
      .elementwise_update = cpu::elementwise_update,
      .reduce = cpu::reduce,
      .mode_product = cpu::mode_product,
      .kron_solve = cpu::kron_solve,
      .qr = cpu::qr,
      .svd = cpu::svd,
      .triangular_solve = cpu::triangular_solve,
      .norm_estimate = cpu::norm_estimate,
      .synchronize = nullptr,
      .fill_failed = nullptr,
  };
  return &backend;
}
