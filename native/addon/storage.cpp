#include "storage.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "failure.hpp"

namespace kronroot::addon {
void raise(kr_code code, const char* what, const char* message) {
  const char* text = message;
  if (!message[0]) text = code == KR_NOT_COMPILED ? "this backend does not have it" : "no message";
  throw Failure::of(code, std::string(what) + ": " + text);
}

Device::Device(const kr_backend& backend, const kr_device_options& options) : backend_(backend) {
  if (backend.abi != KR_ABI) {
    throw Failure(Failure::no_device, std::string("open: the ") + backend.name + " backend has another ABI number");
  }
  char message[448] = "";
  const kr_call call{nullptr, nullptr, message, sizeof message};
  const kr_code code = backend.open(&call, &options, &handle_);
  if (code != KR_OK) raise(code, "open", message);
}

Device::~Device() { backend_.close(handle_); }

kr_device_info Device::info() const {
  kr_device_info info{};
  demand(*this, "device", nullptr, [&](const kr_call* call) { return backend_.info(call, &info); });
  return info;
}

void Device::synchronize() const {
  if (!has_own_memory()) return;
  demand(*this, "synchronize", nullptr, [&](const kr_call* call) { return backend_.synchronize(call); });
}

Memory::Memory(std::shared_ptr<Device> device, int64_t bytes, const char* what)
    : device_(std::move(device)), bytes_(bytes), borrowed_(false) {
  demand(*device_, what, nullptr, [&](const kr_call* call) { return device_->backend_.allocate(call, bytes, &data_); });
}

Memory::Memory(std::shared_ptr<Device> device, void* borrowed, int64_t bytes)
    : device_(std::move(device)), data_(borrowed), bytes_(bytes), borrowed_(true) {}

Memory::~Memory() {
  if (!borrowed_) device_->backend_.release(device_->handle_, data_, bytes_);
}

void Memory::upload(int64_t offset, const void* from, int64_t bytes) {
  if (bytes == 0) return;
  demand(*device_, "write", nullptr, [&](const kr_call* call) {
    return device_->backend_.upload(call, static_cast<char*>(data_) + offset, from, bytes);
  });
}

void Memory::download(int64_t offset, void* to, int64_t bytes) const {
  if (bytes == 0) return;
  demand(*device_, "read", nullptr, [&](const kr_call* call) {
    return device_->backend_.download(call, to, static_cast<const char*>(data_) + offset, bytes);
  });
}

Storage::Storage(std::shared_ptr<Device> device, int64_t bytes) : Memory(std::move(device), bytes, "tensor") {
  count(1);
}

Storage::Storage(std::shared_ptr<Device> device, void* borrowed, int64_t bytes)
    : Memory(std::move(device), borrowed, bytes) {
  count(1);
}

Storage::~Storage() { count(-1); }

void Storage::count(int64_t sign) {
  device()->bytes_.fetch_add(is_borrowed() ? 0 : sign * bytes(), std::memory_order_relaxed);
  device()->tensors_.fetch_add(sign, std::memory_order_relaxed);
}

void Storage::fill(int64_t offset, int64_t bytes, const void* element, int64_t element_bytes) {
  // Large pieces where each is a transfer of its own.
  const int64_t chunk = std::min<int64_t>(bytes, device()->has_own_memory() ? int64_t{4} << 20 : 1 << 16);
  std::vector<char> pattern(static_cast<size_t>(chunk));
  for (int64_t at = 0; at < chunk; at += element_bytes) {
    std::memcpy(pattern.data() + at, element, static_cast<size_t>(std::min(element_bytes, chunk - at)));
  }
  for (int64_t done = 0; done < bytes; done += chunk) {
    upload(offset + done, pattern.data(), std::min(chunk, bytes - done));
  }
}

}  // namespace kronroot::addon
