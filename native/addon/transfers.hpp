// Waiting for a device off the JavaScript thread.
#pragma once

#include "napi.hpp"

namespace kronroot::addon {

// Functions of the addon's exports; the arguments are listed in lib/native/addon.ts.
napi_value download_tensor(const Arguments&);
napi_value synchronize_device(const Arguments&);

}  // namespace kronroot::addon
