#include "backends.hpp"

#include "failure.hpp"

namespace kronroot::addon {

const kr_backend& backend_named(const std::string& name) {
  for (const auto entry : {kr_cpu_backend, kr_reference_backend}) {
    const kr_backend* backend = entry();
    if (backend && name == backend->name) return *backend;
  }
  throw Failure(Failure::no_device,
                "open: there is no backend '" + name + "' in this build (it has 'cpu' and 'reference')");
}

}  // namespace kronroot::addon
