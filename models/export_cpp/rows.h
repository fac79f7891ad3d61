#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/models/export_cpp/op_writer.h"

/// How the ops of a trace are written in C++: one row for each.
namespace cornu::detail {

using CppRows = std::vector<std::pair<std::string, CppRow>>;
CppRows cpp_pointwise_rows();
CppRows cpp_product_rows();
CppRows cpp_image_rows();
CppRows cpp_shape_rows();
CppRows cpp_selection_rows();
CppRows cpp_sequence_rows();
CppRows cpp_stream_rows();
CppRows cpp_indexing_rows();

/// The row of an op; nullptr if there is none.
const CppRow* cpp_row_of(std::string_view op);
/// The names of all ops that have a row, sorted.
std::vector<std::string> cpp_op_names();

/// An activation by its name in files, as a lambda; empty for softmax and for a user's activation.
std::string activation_text(std::string_view name);

/// The activation and recurrent activation of a recurrent op, as arguments.
std::string activations_text(const Trace::Op& op);

/// The weights of a gru, or of one by steps, as arguments.
struct GruParts {
  Index units;
  bool reset_after = true;
  CppArgument input_bias = "nullptr", gates_kernel = "", gates_bias = "nullptr", candidate_kernel = "",
              candidate_bias = "nullptr";

  GruParts(CppOpWriter& to, bool has_bias);
};

/// The axes of a function of two values, which broadcast as in NumPy, as template arguments: for each axis its length,
/// and the operands' steps along it. Adjacent axes are merged where one step serves for both.
std::string broadcast_axes(const Shape& a, const Shape& b, const Shape& result);

/// The same for the operands of `where`: the condition, a and b.
std::string selected_axes(const std::array<Shape, 3>& operands, const Shape& result);

/// The windows of a convolution or pooling along one axis of an image x; axis: 0 for the rows, 1 for the columns.
std::string window_text(const Trace::Op& op, const Shape& x, const Shape& y, std::size_t axis, Index taps,
                        Index dilation);

/// x as (outer, n, inner) around an axis, as template arguments.
std::string around(const Shape& shape, Index axis, Index count = 1);

}  // namespace cornu::detail
