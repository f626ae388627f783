#include "context.hpp"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "../memory.hpp"
#include "engine.hpp"

namespace simt {
namespace {

thread_local cudaError_t last_error = cudaSuccess;

std::string script_of_environment() {
  const char* const text = std::getenv("KRONROOT_SIMT_FAULTS");
  return text == nullptr ? "" : text;
}

int64_t number_of(std::string_view text) { return std::strtoll(std::string(text).c_str(), nullptr, 10); }

}  // namespace

Faults faults_of(std::string_view text) {
  Faults faults;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const int64_t value = equals == std::string_view::npos ? 0 : number_of(part.substr(equals + 1));
    if (name == "no-driver") {
      faults.has_driver = false;
    } else if (name == "no-device") {
      faults.has_device = false;
    } else if (name == "no-image") {
      faults.has_image = false;
    } else if (name == "architecture") {
      faults.architecture = static_cast<int>(value);
    } else if (name == "memory") {
      faults.memory = static_cast<std::size_t>(value);
    } else if (name == "allocation") {
      faults.allocation = value;
    } else if (name == "launch") {
      faults.launch = value;
    } else if (name == "late") {
      faults.late = value;
    } else if (!name.empty()) {
      std::fprintf(stderr, "simt: KRONROOT_SIMT_FAULTS: what is \"%.*s\"?\n", static_cast<int>(part.size()),
                   part.data());
      std::abort();
    }
  }
  return faults;
}

DeviceContext& DeviceContext::instance() {
  static DeviceContext& context = *new DeviceContext;  // NOLINT: the engine may run until the process ends
  return context;
}

void DeviceContext::restart(const Faults& faults) {
  Engine::instance().wait_for_all();
  const std::lock_guard lock(mutex_);
  if (is_lost()) Memory::instance().forget_all();
  faults_ = faults;
  script_ = script_of_environment();
  report_.clear();
  error_ = cudaSuccess;
  is_hidden_ = false;
  allocations_ = launches_ = 0;
  Memory::instance().set_capacity(faults.memory);
}

Faults DeviceContext::faults() {
  {
    const std::lock_guard lock(mutex_);
    if (script_ == script_of_environment()) return faults_;
  }
  restart(faults_of(script_of_environment()));
  const std::lock_guard lock(mutex_);
  return faults_;
}

void DeviceContext::lose(cudaError_t error, const std::string& report, bool is_hidden) {
  std::fprintf(stderr, "simt: %s\n", report.c_str());
  const std::lock_guard lock(mutex_);
  report_ = report;
  is_hidden_ = is_hidden;
  error_ = error;
}

std::string DeviceContext::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

bool DeviceContext::next_allocation_fails() { return faults().allocation == ++allocations_; }

DeviceContext::LaunchFault DeviceContext::next_launch() {
  const Faults now = faults();
  const int64_t count = ++launches_;
  return count == now.launch ? LaunchFault::at_once : count == now.late ? LaunchFault::late : LaunchFault::none;
}

cudaError_t give(cudaError_t error) {
  if (const cudaError_t lost = DeviceContext::instance().told()) error = lost;
  if (error != cudaSuccess && error != cudaErrorNotReady) last_error = error;
  return error;
}

cudaError_t give_after_waiting(cudaError_t error) {
  DeviceContext::instance().tell();
  return give(error);
}

void restart(const Faults& faults) { DeviceContext::instance().restart(faults); }
int64_t allocations() { return DeviceContext::instance().allocations(); }
int64_t launches() { return DeviceContext::instance().launches(); }
std::string last_report() { return DeviceContext::instance().report(); }

}  // namespace simt

using simt::DeviceContext;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInitializationError:
      return "cudaErrorInitializationError";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorNoKernelImageForDevice:
      return "cudaErrorNoKernelImageForDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorMisalignedAddress:
      return "cudaErrorMisalignedAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorNotSupported:
      return "cudaErrorNotSupported";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated:
      return "cudaErrorStreamCaptureInvalidated";
    default:
      return "cudaErrorUnknown";
  }
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorNoKernelImageForDevice:
      return "no kernel image is available for execution on the device";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorMisalignedAddress:
      return "misaligned address";
    case cudaErrorLaunchFailure:
      return "unspecified launch failure";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    default:
      return cudaGetErrorName(error);
  }
}
cudaError_t cudaGetLastError() {
  const cudaError_t error = std::exchange(simt::last_error, cudaSuccess);
  const cudaError_t lost = DeviceContext::instance().told();
  return lost != cudaSuccess ? lost : error;
}
cudaError_t cudaPeekAtLastError() {
  const cudaError_t lost = DeviceContext::instance().told();
  return lost != cudaSuccess ? lost : simt::last_error;
}
