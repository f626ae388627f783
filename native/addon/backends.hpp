// The backends that this addon carries, by name.
#pragma once

#include <string>

#include "../include/kronroot/backend.h"

namespace kronroot::addon {

// ERR_NO_DEVICE, naming those there are, when there is none of that name.
const kr_backend& backend_named(const std::string& name);

}  // namespace kronroot::addon
