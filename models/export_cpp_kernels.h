#pragma once

#include <string_view>

namespace cornu::detail {

/// The text of a function of an exported predictor, by its name.
std::string_view cpp_kernel(std::string_view name);

}  // namespace cornu::detail
