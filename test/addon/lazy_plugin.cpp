// A plugin of a device that does nothing before it is waited for, as the strictest reading of backend.h allows: ops and
// releases are queued, and run when a download or synchronize needs them. Its addresses are no addresses of the host.
// The work is done by the reference backend.
//
//   KRONROOT_LAZY_LOG=file     every call of the table by name, one a line; an op that runs as "run NAME"
//   KRONROOT_LAZY_LOSE=NAME    the device is lost when the op of that name, called while this is set, runs
//   KRONROOT_LAZY_SPACE=bytes  allocations beyond that fail
//   KRONROOT_LAZY_DELAY=ms     so long each wait lasts
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "../../native/core/check.hpp"
#include "../../native/include/kronroot/backend.h"

namespace kronroot::lazy {
namespace {

const kr_backend& reference() { return *kr_reference_backend(); }

// Not canonical on x86-64, beyond user space on AArch64.
constexpr uintptr_t tag = 0x5a00'0000'0000'0000;

template <typename T>
T* flipped(T* address) {
  return address == nullptr ? nullptr : reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(address) ^ tag);
}

const char* setting(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr && text[0] != '\0' ? text : nullptr;
}

void log(const std::string& line) {
  const char* file = setting("KRONROOT_LAZY_LOG");
  if (file == nullptr) return;
  const std::unique_ptr<FILE, int (*)(FILE*)> log(std::fopen(file, "a"), std::fclose);
  if (log) std::fprintf(log.get(), "%s\n", line.c_str());
}

struct Device {
  std::mutex mutex;
  kr_device* host = nullptr;
  void* stream = nullptr;
  int64_t bytes = 0;
  std::deque<std::function<void()>> queue;
  std::string lost;  // why
};

Device& device_of(kr_device* device) { return *reinterpret_cast<Device*>(device); }

kr_code lost(const kr_call* call, const Device& device) {
  return fail(call, KR_DEVICE_LOST, "%s", device.lost.c_str());
}

// With the mutex.
void drain(Device& device) {
  while (!device.queue.empty()) {
    device.queue.front()();
    device.queue.pop_front();
  }
}

kr_code open(const kr_call* call, const kr_device_options* options, kr_device** device) {
  log("open");
  if (options->ordinal > 1) {
    return fail(call, KR_NO_DEVICE, "ordinal: the driver shows 2 devices, 0 to 1; got %d", options->ordinal);
  }
  auto opened = std::make_unique<Device>();
  const kr_device_options first{};
  if (const kr_code code = reference().open(call, &first, &opened->host)) return code;
  opened->stream = options->stream != nullptr ? options->stream : opened.get();
  *device = reinterpret_cast<kr_device*>(opened.release());
  return KR_OK;
}

void close(kr_device* closed) {
  log("close");
  const std::unique_ptr<Device> device(&device_of(closed));
  drain(*device);
  reference().close(device->host);
}

constexpr int64_t capacity = int64_t{1} << 30;

kr_code info(const kr_call* call, kr_device_info* info) {
  Device& device = device_of(call->device);
  const std::lock_guard lock(device.mutex);
  if (!device.lost.empty()) return lost(call, device);
  *info = {};
  std::snprintf(info->name, sizeof info->name, "lazy");
  std::snprintf(info->isa, sizeof info->isa, "plain f64");
  info->threads = 1;
  info->bytes_allocated = device.bytes;
  info->bytes_free = capacity - device.bytes;
  info->bytes_total = capacity;
  info->stream = device.stream;
  return KR_OK;
}

kr_code allocate(const kr_call* call, int64_t bytes, void** data) {
  Device& device = device_of(call->device);
  const std::lock_guard lock(device.mutex);
  log("allocate");
  if (!device.lost.empty()) return lost(call, device);
  const char* space = setting("KRONROOT_LAZY_SPACE");
  const int64_t most = space != nullptr ? std::strtoll(space, nullptr, 10) : capacity;
  if (device.bytes + bytes > most) {
    return fail(call, KR_OUT_OF_MEMORY, "asked for %" PRId64 " bytes, %" PRId64 " are free", bytes, most - device.bytes);
  }
  const kr_call inner{device.host, nullptr, call->message, call->message_size};
  if (const kr_code code = reference().allocate(&inner, bytes, data)) return code;
  device.bytes += bytes;
  *data = flipped(*data);
  return KR_OK;
}

void release(kr_device* from, void* data, int64_t bytes) {
  Device& device = device_of(from);
  const std::lock_guard lock(device.mutex);
  log("release");
  if (data == nullptr) return;
  device.bytes -= bytes;
  device.queue.push_back([&device, data, bytes] {
    std::memset(flipped(data), 0xff, static_cast<size_t>(bytes));
    reference().release(device.host, flipped(data), bytes);
  });
}

kr_code upload(const kr_call* call, void* to, const void* from, int64_t bytes) {
  Device& device = device_of(call->device);
  const std::lock_guard lock(device.mutex);
  log("upload");
  if (!device.lost.empty()) return lost(call, device);
  const auto* source = static_cast<const char*>(from);
  device.queue.push_back([to, taken = std::vector<char>(source, source + bytes)] {
    std::memcpy(flipped(to), taken.data(), taken.size());
  });
  return KR_OK;
}

kr_code wait(const kr_call* call, const char* name, const std::function<void()>& then) {
  Device& device = device_of(call->device);
  if (const char* delay = setting("KRONROOT_LAZY_DELAY")) {
    std::this_thread::sleep_for(std::chrono::milliseconds(std::atoi(delay)));
  }
  const std::lock_guard lock(device.mutex);
  log(name);
  drain(device);
  if (!device.lost.empty()) return lost(call, device);
  then();
  return KR_OK;
}

kr_code download(const kr_call* call, void* to, const void* from, int64_t bytes) {
  return wait(call, "download", [&] { std::memcpy(to, flipped(from), static_cast<size_t>(bytes)); });
}

kr_code synchronize(const kr_call* call) {
  return wait(call, "synchronize", [] {});
}

// `work` gets the call of the reference backend and returns its code.
template <typename Work>
kr_code enqueue(const kr_call* call, const char* name, Work work) {
  Device& device = device_of(call->device);
  const std::lock_guard lock(device.mutex);
  log(name);
  if (!device.lost.empty()) return lost(call, device);
  const char* loser = setting("KRONROOT_LAZY_LOSE");
  const bool loses = loser != nullptr && std::strcmp(loser, name) == 0;
  device.queue.push_back([&device, name, loses, work] {
    log(std::string("run ") + name);
    char message[256] = "";
    const kr_call inner{device.host, nullptr, message, sizeof message};
    if (!device.lost.empty()) return;
    if (loses) {
      device.lost = std::string(name) + ": an illegal memory access";
    } else if (work(&inner) != KR_OK) {
      device.lost = std::string(name) + ": " + message;
    }
  });
  return KR_OK;
}

// A descriptor with the address that the host can follow; what is null stays null.
struct Local {
  explicit Local(const kr_batch* batch) {
    if (batch == nullptr) return;
    value = *batch;
    value->data = flipped(value->data);
  }
  operator const kr_batch*() const { return value ? &*value : nullptr; }
  std::optional<kr_batch> value;
};

template <auto entry, const char* name, typename Options>
kr_code unary(const kr_call* call, const Options* options, const kr_batch* a, const kr_batch* x, kr_report* reports) {
  return enqueue(call, name, [options = *options, a = Local(a), x = Local(x), reports](const kr_call* inner) {
    return (reference().*entry)(inner, &options, a, x, flipped(reports));
  });
}

constexpr char cholesky_name[] = "cholesky";
constexpr char root_name[] = "inverse_root";

kr_code matmul(const kr_call* call, const kr_matmul_options* options, const kr_batch* a, const kr_batch* b,
               const kr_batch* c) {
  return enqueue(call, "matmul", [options = *options, a = Local(a), b = Local(b), c = Local(c)](const kr_call* inner) {
    return reference().matmul(inner, &options, a, b, c);
  });
}

kr_code fill_failed(const kr_call* call, const kr_report* reports, const kr_batch* output) {
  return enqueue(call, "fill_failed", [reports, output = Local(output)](const kr_call*) {
    const kr_batch& matrices = *output.value;
    const size_t bytes = static_cast<size_t>(matrices.rows * matrices.cols) * (matrices.dtype == KR_F32 ? 4 : 8);
    for (int64_t i = 0; i < matrices.batch; ++i) {
      if (flipped(reports)[i].status < KR_FIRST_FAILURE) continue;
      std::memset(static_cast<char*>(matrices.data) + static_cast<size_t>(i) * bytes, 0xff, bytes);  // a NaN
    }
    return KR_OK;
  });
}

kr_code elementwise_update(const kr_call* call, const kr_elementwise_update_options* options,
                           const kr_update_array* arrays, int64_t count, int32_t* finite) {
  std::vector<kr_update_array> all(arrays, arrays + count);
  for (kr_update_array& array : all) {
    array.gradient = flipped(array.gradient);
    for (auto field : {&kr_update_array::m, &kr_update_array::v, &kr_update_array::v_max, &kr_update_array::direction,
                       &kr_update_array::w}) {
      array.*field = flipped(array.*field);
    }
  }
  return enqueue(call, "elementwise_update", [options = *options, all, finite](const kr_call* inner) {
    return reference().elementwise_update(inner, &options, all.data(), static_cast<int64_t>(all.size()),
                                          flipped(finite));
  });
}

kr_code reduce(const kr_call* call, const kr_reduce_options* options, const kr_reduce_array* arrays, int64_t count,
               double* results) {
  std::vector<kr_reduce_array> all(arrays, arrays + count);
  for (kr_reduce_array& array : all) {
    array.x = flipped(array.x);
    array.y = flipped(array.y);
  }
  return enqueue(call, "reduce", [options = *options, all, results](const kr_call* inner) {
    return reference().reduce(inner, &options, all.data(), static_cast<int64_t>(all.size()), flipped(results));
  });
}

// Ops that are left out are "not in this backend".
kr_backend make_table() {
  kr_backend table{};
  table.abi = KR_ABI;
  table.size = sizeof(kr_backend);
  table.name = "lazy";
  table.open = open;
  table.close = close;
  table.info = info;
  table.allocate = allocate;
  table.release = release;
  table.upload = upload;
  table.download = download;
  table.matmul = matmul;
  table.inverse_root = unary<&kr_backend::inverse_root, root_name, kr_inverse_root_options>;
  table.cholesky = unary<&kr_backend::cholesky, cholesky_name, kr_cholesky_options>;
  table.elementwise_update = elementwise_update;
  table.reduce = reduce;
  table.synchronize = synchronize;
  table.fill_failed = fill_failed;
  return table;
}

}  // namespace
}  // namespace kronroot::lazy

extern "C" __attribute__((visibility("default"))) const kr_backend* kr_cuda_backend(uint32_t want_abi) {
  static const kr_backend table = kronroot::lazy::make_table();
  return want_abi == KR_ABI ? &table : nullptr;
}
