// The ops over lists of arrays, which lie in typed arrays of the caller or in tensors: borrowed for one call on the
// JavaScript thread, during which nothing can move or detach them.
#pragma once

#include "napi.hpp"

namespace kronroot::addon {

// Functions of the addon's exports; the arguments are listed in lib/native/addon.ts.
napi_value update_arrays(const Arguments&);
napi_value reduce_arrays(const Arguments&);

}  // namespace kronroot::addon
