#include "staging.hpp"

#include <algorithm>

namespace kronroot::addon {
namespace {

constexpr int64_t alignment = 256;

}  // namespace

void Staging::add(void* data, int64_t bytes, Use use) {
  if (bytes > 0) regions_.push_back({static_cast<char*>(data), static_cast<char*>(data) + bytes, use});
}

void Staging::upload() {
  std::sort(regions_.begin(), regions_.end(), [](const Region& a, const Region& b) { return a.begin < b.begin; });
  std::vector<Region> merged;
  for (const Region& region : regions_) {
    if (merged.empty() || region.begin >= merged.back().end) {
      merged.push_back(region);
      continue;
    }
    Region& last = merged.back();
    last.end = std::max(last.end, region.end);
    last.use.is_read |= region.use.is_read;
    last.use.is_written |= region.use.is_written;
  }
  regions_ = std::move(merged);
  int64_t total = 0;
  for (Region& region : regions_) {
    region.offset = total;
    total += (region.end - region.begin + alignment - 1) / alignment * alignment;
  }
  if (total == 0) return;
  memory_.emplace(device_, total, "arrays");
  for (const Region& region : regions_) {
    if (region.use.is_read) memory_->upload(region.offset, region.begin, region.end - region.begin);
  }
}

void* Staging::on_device(const void* data) const {
  const auto* at = static_cast<const char*>(data);
  const auto above = std::upper_bound(regions_.begin(), regions_.end(), at,
                                      [](const char* address, const Region& region) { return address < region.begin; });
  if (above == regions_.begin()) return nullptr;  // an array without elements
  const Region& region = *(above - 1);
  if (at >= region.end) return nullptr;
  return static_cast<char*>(memory_->data()) + region.offset + (at - region.begin);
}

void Staging::download() const {
  for (const Region& region : regions_) {
    if (region.use.is_written) memory_->download(region.offset, region.begin, region.end - region.begin);
  }
}

}  // namespace kronroot::addon
