#pragma once

#include <string>

namespace simt {

void count_launch(const std::string& name);

}  // namespace simt
