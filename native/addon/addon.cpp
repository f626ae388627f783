// The native module: its functions, made once per JavaScript environment.
#include <node_api.h>

#include "arrays.hpp"
#include "call.hpp"
#include "environment.hpp"
#include "handles.hpp"
#include "napi.hpp"
#include "transfers.hpp"
#include "unread_reports.hpp"

namespace kronroot::addon {
namespace {

template <Function function>
void define(napi_env env, napi_value exports, const char* name, Environment& environment) {
  napi_value value = nullptr;
  require(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, boundary<function>, &environment, &value), name);
  set(env, exports, name, value);
}

// Names of the ops; the index is the number that `call` and `submit` take.
napi_value operation_names(napi_env env) {
  napi_value names = nullptr;
  uint32_t index = 0;
  require(env, napi_create_array(env, &names), "operations");
  for (const Operation& operation : operations()) {
    require(env, napi_set_element(env, names, index++, make_text(env, operation.name)), operation.name);
  }
  return names;
}

void fill_exports(napi_env env, napi_value exports) {
  Environment& environment = Environment::attach(env);
  define<open_device>(env, exports, "openDevice", environment);
  define<device_memory>(env, exports, "deviceMemory", environment);
  define<synchronize_device>(env, exports, "synchronizeDevice", environment);
  define<dispose_device>(env, exports, "disposeDevice", environment);
  define<create_tensor>(env, exports, "createTensor", environment);
  define<wrap_tensor>(env, exports, "wrapTensor", environment);
  define<tensor_pointer>(env, exports, "tensorPointer", environment);
  define<write_tensor>(env, exports, "writeTensor", environment);
  define<read_tensor>(env, exports, "readTensor", environment);
  define<download_tensor>(env, exports, "downloadTensor", environment);
  define<dispose_tensor>(env, exports, "disposeTensor", environment);
  define<update_arrays>(env, exports, "updateArrays", environment);
  define<reduce_arrays>(env, exports, "reduceArrays", environment);
  define<call_operation>(env, exports, "call", environment);
  define<read_reports>(env, exports, "readReports", environment);
  define<submit_operation>(env, exports, "submit", environment);
  define<cancel_operation>(env, exports, "cancel", environment);
  set(env, exports, "operations", operation_names(env));
  kr_report* report = nullptr;
  set(env, exports, "record", environment.record(&report));
}

}  // namespace
}  // namespace kronroot::addon

NAPI_MODULE_INIT() {
  using namespace kronroot::addon;
  try {
    fill_exports(env, exports);
  } catch (const PendingException&) {
  } catch (const std::exception& error) {
    napi_throw_error(env, Failure::internal, error.what());
  }
  return exports;
}
