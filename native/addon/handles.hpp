// The native halves of the JavaScript classes Device and Tensor, tied to their objects by napi_wrap and a type tag.
#pragma once

#include <memory>

#include "environment.hpp"
#include "napi.hpp"
#include "storage.hpp"

namespace kronroot::addon {

struct DeviceHandle {
  std::shared_ptr<Device> device;  // null after dispose()
};

// A row-major tensor [..., rows, cols]; batch is the product of the leading dimensions.
class TensorHandle {
 public:
  TensorHandle(std::shared_ptr<Environment> environment, std::shared_ptr<Storage> storage, kr_dtype dtype,
               int64_t batch, int64_t rows, int64_t cols);
  ~TensorHandle();
  TensorHandle(const TensorHandle&) = delete;
  TensorHandle& operator=(const TensorHandle&) = delete;

  // Lets go of the memory: dispose(), or the object was collected. Calls in flight keep their own hold.
  void drop();

  const std::shared_ptr<Storage>& storage() const { return storage_; }
  kr_dtype dtype() const { return dtype_; }
  int64_t elements() const { return batch_ * rows_ * cols_; }
  // The descriptors of [..., m, n] as a batch of matrices and of [..., n] as a batch of columns.
  kr_batch matrices() const;
  kr_batch columns() const;

  // From napi_wrap; gives no value once the JavaScript object was collected, even before the finalizer ran.
  napi_ref reference = nullptr;

 private:
  std::shared_ptr<Environment> environment_;
  std::shared_ptr<Storage> storage_;
  kr_dtype dtype_;
  int64_t batch_;
  int64_t rows_;
  int64_t cols_;
};

// ERR_ARGUMENT when `value` is not such an object, ERR_DISPOSED when it was disposed.
DeviceHandle& device_of(napi_env env, napi_value value, const char* name);
TensorHandle& tensor_of(napi_env env, napi_value value, const char* name);

// Functions of the addon's exports; the arguments are listed in lib/native/addon.ts.
napi_value open_device(const Arguments&);
napi_value device_memory(const Arguments&);
napi_value dispose_device(const Arguments&);
napi_value create_tensor(const Arguments&);
napi_value write_tensor(const Arguments&);
napi_value read_tensor(const Arguments&);
napi_value dispose_tensor(const Arguments&);

}  // namespace kronroot::addon
