// The native halves of the JavaScript classes Device and Tensor.
//
// A device is tied to its object by napi_wrap. Other addons wrap objects too: what is found on one is ours if the
// environment knows the address. A tensor is known by a number, which no other tensor of the environment ever has: to
// look it up takes a tenth of the time of Node-API's type tag and unwrap, and to let go of it leaves nothing behind.
// Its object is only watched, for the day when it is collected.
#pragma once

#include <memory>

#include "environment.hpp"
#include "napi.hpp"
#include "storage.hpp"

namespace kronroot::addon {

class DeviceHandle {
 public:
  DeviceHandle(std::shared_ptr<Environment> environment, std::shared_ptr<Device> device);
  ~DeviceHandle();
  DeviceHandle(const DeviceHandle&) = delete;
  DeviceHandle& operator=(const DeviceHandle&) = delete;

  std::shared_ptr<Device> device;  // null after dispose()

 private:
  std::shared_ptr<Environment> environment_;
};

// A row-major tensor [..., rows, cols]; batch is the product of the leading dimensions.
class TensorHandle {
 public:
  TensorHandle(std::shared_ptr<Environment> environment, std::shared_ptr<Storage> storage, kr_dtype dtype,
               int64_t batch, int64_t rows, int64_t cols);
  ~TensorHandle();
  TensorHandle(const TensorHandle&) = delete;
  TensorHandle& operator=(const TensorHandle&) = delete;

  int64_t number() const { return number_; }
  // Lets go of the memory; calls in flight keep their own hold.
  void drop();

  const std::shared_ptr<Storage>& storage() const { return storage_; }
  kr_dtype dtype() const { return dtype_; }
  int64_t elements() const { return batch_ * rows_ * cols_; }
  // The descriptors of [..., m, n] as a batch of matrices and of [..., n] as a batch of columns.
  kr_batch matrices() const;
  kr_batch columns() const;

  // Weak; gives no value once the JavaScript object was collected, even before the finalizer ran.
  napi_ref reference = nullptr;

 private:
  std::shared_ptr<Environment> environment_;
  std::shared_ptr<Storage> storage_;
  int64_t number_ = 0;
  kr_dtype dtype_;
  int64_t batch_;
  int64_t rows_;
  int64_t cols_;
};

// ERR_ARGUMENT when `value` is not such an object or number, ERR_DISPOSED when it was disposed.
DeviceHandle& device_of(const Arguments& arguments, napi_value value, const char* name);
TensorHandle& tensor_of(const Arguments& arguments, napi_value value, const char* name);

// Functions of the addon's exports; the arguments are listed in lib/native/addon.ts.
napi_value open_device(const Arguments&);
napi_value device_memory(const Arguments&);
napi_value dispose_device(const Arguments&);
napi_value create_tensor(const Arguments&);
napi_value wrap_tensor(const Arguments&);
napi_value tensor_pointer(const Arguments&);
napi_value write_tensor(const Arguments&);
napi_value read_tensor(const Arguments&);
napi_value dispose_tensor(const Arguments&);

}  // namespace kronroot::addon
