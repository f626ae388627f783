// What tests may do to the emulated device and ask of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace simt {

// A script of what goes wrong; K counts from 1, 0 is never. As text (KRONROOT_SIMT_FAULTS), parts separated by commas:
//   no-driver, no-device, no-image, architecture=75, memory=BYTES, allocation=K, launch=K, late=K
struct Faults {
  bool has_driver = true;
  bool has_device = true;
  bool has_image = true;  // machine code for the device in the program
  int architecture = 90;
  std::size_t memory = std::size_t{4} << 30;
  int64_t allocation = 0;  // the K-th allocation finds no memory
  int64_t launch = 0;      // the K-th launch fails, and the context is lost
  int64_t late = 0;        // so does it, but only the next call that synchronises says so
};
Faults faults_of(std::string_view text);

// A new context on a device with these faults, and counters at 0. Where KRONROOT_SIMT_FAULTS changes while the process
// runs, the next call of the runtime does the same with the new text.
void restart(const Faults& faults = {});

// Allocations and launches since the start of the context.
int64_t allocations();
int64_t launches();

// What the last kernel that failed did wrong, with its name.
std::string last_report();

}  // namespace simt
