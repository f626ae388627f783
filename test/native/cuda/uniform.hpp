// Random numbers for the tests of the CUDA backend.
#pragma once

#include "test/native/uniform.hpp"
