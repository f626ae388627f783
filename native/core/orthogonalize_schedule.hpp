// From the options of orthogonalize to the list of quintics that it runs.
#pragma once

#include "../include/kronroot/ops.h"
#include "orthogonalize_tables.hpp"

namespace kronroot {

// Number of steps of the options, which have passed check_orthogonalize; the first `capacity` of them are written to
// `out` (which may be null when capacity is 0). The safety factor of Polar Express is inside its coefficients; that of
// the other tables divides the starting matrix and is the caller's to apply (orthogonalize_safety).
int orthogonalize_schedule(const kr_orthogonalize_options& options, Quintic* out, int capacity);

// Factor on the norm that the starting matrix is divided by.
double orthogonalize_safety(const kr_orthogonalize_options& options);

}  // namespace kronroot
