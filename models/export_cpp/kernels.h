#pragma once

#include <array>
#include <span>
#include <string_view>

namespace cornu::detail {

/// A function in exported predictors.
struct CppKernel {
  std::string_view name, text;
  std::array<std::string_view, 3> needs{};  // kernels that it calls
  bool may_overwrite = false;               // the result may share memory with an input
};

/// Kernels for images, for selections and sums, for sequences, for streams, for indexing, and for gradients.
std::span<const CppKernel> cpp_image_kernels();
std::span<const CppKernel> cpp_selection_kernels();
std::span<const CppKernel> cpp_sequence_kernels();
std::span<const CppKernel> cpp_stream_kernels();
std::span<const CppKernel> cpp_indexing_kernels();
std::span<const CppKernel> cpp_gradient_kernels();
/// The kernel of this name; nullptr if there is none.
const CppKernel* find_cpp_kernel(std::string_view name);
/// True for the name of a function or a type that any kernel's text defines.
bool is_cpp_kernel_name(std::string_view name);

}  // namespace cornu::detail
