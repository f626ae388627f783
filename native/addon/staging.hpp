// Typed arrays of the caller for one call on a device with memory of its own: copies there, and back what was written.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "storage.hpp"

namespace kronroot::addon {

// Arrays that overlap on the host overlap alike on the device: the op sees, and refuses, what it would see there.
class Staging {
 public:
  explicit Staging(std::shared_ptr<Device> device) : device_(std::move(device)) {}

  struct Use {
    bool is_read;
    bool is_written;
  };
  void add(void* data, int64_t bytes, Use use);
  // After the last add(): copies to the device what is read there.
  void upload();
  // After upload(): where the array with this address on the host lies on the device.
  void* on_device(const void* data) const;
  // Waits, and copies back what was written.
  void download() const;

 private:
  struct Region {
    char* begin;
    char* end;
    Use use;
    int64_t offset = 0;
  };
  std::shared_ptr<Device> device_;
  std::vector<Region> regions_;  // after upload(): apart from each other, by address
  std::optional<Memory> memory_;
};

}  // namespace kronroot::addon
