#include "storage.hpp"

#include <algorithm>
#include <cstring>

#include "failure.hpp"

namespace kronroot::addon {
namespace {

// Runs one entry of the backend's table and turns a code other than KR_OK into a Failure.
template <typename F>
void demand(kr_device* device, const char* what, F entry) {
  char message[512] = "";
  const kr_call call{device, nullptr, message, sizeof message};
  const kr_code code = entry(&call);
  if (code != KR_OK) throw Failure::of(code, std::string(what) + ": " + (message[0] ? message : "no message"));
}

}  // namespace

Device::Device(const kr_backend& backend, const kr_device_options& options) : backend_(backend) {
  if (backend.abi != KR_ABI) {
    throw Failure(Failure::no_device, std::string("open: the ") + backend.name + " backend has another ABI number");
  }
  demand(nullptr, "open", [&](const kr_call* call) { return backend.open(call, &options, &handle_); });
}

Device::~Device() { backend_.close(handle_); }

kr_device_info Device::info() const {
  kr_device_info info{};
  demand(handle_, "device", [&](const kr_call* call) { return backend_.info(call, &info); });
  return info;
}

Storage::Storage(std::shared_ptr<Device> device, int64_t bytes) : device_(std::move(device)), bytes_(bytes) {
  demand(device_->handle_, "tensor",
         [&](const kr_call* call) { return device_->backend_.allocate(call, bytes, &data_); });
  device_->bytes_.fetch_add(bytes_, std::memory_order_relaxed);
  device_->tensors_.fetch_add(1, std::memory_order_relaxed);
}

Storage::~Storage() {
  device_->backend_.release(device_->handle_, data_, bytes_);
  device_->bytes_.fetch_sub(bytes_, std::memory_order_relaxed);
  device_->tensors_.fetch_sub(1, std::memory_order_relaxed);
}

void Storage::upload(int64_t offset, const void* from, int64_t bytes) {
  if (bytes == 0) return;
  demand(device_->handle_, "write", [&](const kr_call* call) {
    return device_->backend_.upload(call, static_cast<char*>(data_) + offset, from, bytes);
  });
}

void Storage::download(void* to) const {
  if (bytes_ == 0) return;
  demand(device_->handle_, "read",
         [&](const kr_call* call) { return device_->backend_.download(call, to, data_, bytes_); });
}

void Storage::fill(int64_t offset, int64_t bytes, const void* element, int64_t element_bytes) {
  constexpr int64_t chunk = 1 << 16;
  alignas(64) char pattern[chunk];
  for (int64_t at = 0; at < std::min(bytes, chunk); at += element_bytes) {
    std::memcpy(pattern + at, element, static_cast<size_t>(element_bytes));
  }
  for (int64_t done = 0; done < bytes; done += chunk) upload(offset + done, pattern, std::min(chunk, bytes - done));
}

}  // namespace kronroot::addon
