// Version of the programs, as in CMakeLists.txt.
#pragma once

#include <string_view>

namespace homeport::core {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace homeport::core
