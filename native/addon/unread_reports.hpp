// The reports of a synchronous call that are still in the memory of the device, until JavaScript asks for them.
#pragma once

#include <memory>

#include "environment.hpp"
#include "napi.hpp"
#include "storage.hpp"

namespace kronroot::addon {

class UnreadReports {
 public:
  UnreadReports(std::shared_ptr<Environment> environment, std::unique_ptr<Memory> memory);
  ~UnreadReports();
  UnreadReports(const UnreadReports&) = delete;
  UnreadReports& operator=(const UnreadReports&) = delete;

  // Null once the device was disposed.
  const Memory* memory() const { return memory_.get(); }
  void drop() { memory_.reset(); }

  // Weak; gives no value once the JavaScript object was collected, even before the finalizer ran.
  napi_ref reference = nullptr;

 private:
  std::shared_ptr<Environment> environment_;
  std::unique_ptr<Memory> memory_;
};

// A JavaScript object that stands for them: { count }.
napi_value make_unread(const Arguments& arguments, std::unique_ptr<Memory> memory);

// Function of the addon's exports; the argument is listed in lib/native/addon.ts.
napi_value read_reports(const Arguments&);

}  // namespace kronroot::addon
