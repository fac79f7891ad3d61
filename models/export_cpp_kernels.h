#pragma once

#include <string_view>

namespace cornu::detail {

/// A function of exported predictors.
struct CppKernel {
  std::string_view name, text;
  std::string_view needs{};    // another one, which it calls
  bool may_overwrite = false;  // its result may lie where one of its inputs does
};

/// By its name.
const CppKernel& cpp_kernel(std::string_view name);

}  // namespace cornu::detail
