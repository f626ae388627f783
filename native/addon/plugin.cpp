#include "plugin.hpp"

#include <dlfcn.h>

#include <map>
#include <memory>
#include <mutex>

#include "failure.hpp"

namespace kronroot::addon {
namespace {

constexpr const char* remedy = "; build it anew with `npm run build:cuda`";

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
  throw Failure(Failure::no_device, "open: the CUDA plugin " + file + " " + why + remedy);
}

const kr_backend& loaded(const std::string& file) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* error = dlerror();
    refuse(file, std::string("cannot be loaded: ") + (error ? error : "the linker does not say why"));
  }
  const auto entry = reinterpret_cast<kr_backend_entry>(dlsym(library, "kr_cuda_backend"));
  if (entry == nullptr) refuse(file, "is none: it does not export kr_cuda_backend");
  const kr_backend* backend = entry(KR_ABI);
  if (backend == nullptr) refuse(file, "does not serve version " + std::to_string(KR_ABI) + " of the ABI");
  if (backend->abi != KR_ABI) {
    refuse(file, "has version " + std::to_string(backend->abi) + " of the ABI, this addon has version " +
                     std::to_string(KR_ABI));
  }
  if (backend->size < sizeof(kr_backend)) {
    refuse(file, "is older than this addon: version " + std::to_string(KR_ABI) + " of the ABI with a table of " +
                     std::to_string(backend->size) + " bytes, not " + std::to_string(sizeof(kr_backend)));
  }
  return *backend;
}

}  // namespace

const kr_backend& plugin_at(const std::string& file) {
  // Leaked on purpose: see operations().
  static std::mutex& mutex = *std::make_unique<std::mutex>().release();
  static auto& backends = *std::make_unique<std::map<std::string, const kr_backend*>>().release();
  const std::lock_guard lock(mutex);
  const auto found = backends.find(file);
  if (found != backends.end()) return *found->second;
  const kr_backend& backend = loaded(file);
  backends.emplace(file, &backend);
  return backend;
}

}  // namespace kronroot::addon
