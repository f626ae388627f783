// The CUDA backend: a shared library of its own, so that a machine without a GPU needs nothing of CUDA.
#pragma once

#include <string>

#include "../include/kronroot/backend.h"

namespace kronroot::addon {

// The table of the plugin at this path, which is loaded on first use and stays loaded until the process ends: threads
// of the driver run its code. ERR_NO_DEVICE, saying what is wrong with the file.
const kr_backend& plugin_at(const std::string& file);

}  // namespace kronroot::addon
