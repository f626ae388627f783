// Orders up to 32: one launch, a warp or a part of it for each matrix.
#pragma once

#include "../batch.cuh"
#include "../op.hpp"

namespace kronroot::cuda {

inline constexpr int64_t most_in_warp = 32;

// eigh of ops.h, of any input, for a.rows <= most_in_warp. Pointers to device memory may be nullptr.
template <typename T>
struct EighInWarps {
  BatchView<const T> a;
  BatchView<T> values;
  BatchView<T> vectors;                 // data nullptr: values only
  Global<const int32_t> skip{nullptr};  // nothing is done where it is not 0
  Global<int32_t> status{nullptr};      // kr_status of each
  Global<int32_t> sweeps{nullptr};      // of each
  Global<kr_report> reports{nullptr};
};

template <typename T>
void eigh_in_warps(Op& op, const EighInWarps<T>& problem);

}  // namespace kronroot::cuda
