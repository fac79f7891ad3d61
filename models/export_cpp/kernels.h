#pragma once

#include <array>
#include <span>
#include <string_view>

namespace cornu::detail {

/// A function of exported predictors.
struct CppKernel {
  std::string_view name, text;
  std::array<std::string_view, 2> needs{};  // others, which it calls
  bool may_overwrite = false;               // its result may lie where one of its inputs does
};

/// Those of images and of sequences.
std::span<const CppKernel> cpp_image_kernels();
std::span<const CppKernel> cpp_sequence_kernels();
/// Any, by its name.
const CppKernel& cpp_kernel(std::string_view name);

}  // namespace cornu::detail
