#include <fmt/format.h>

#include "cornu/models/export_cpp/gradient_writer.h"
#include "cornu/models/export_cpp/rows.h"

/// How ops that select, scatter and interpolate are written, and transposed convolutions; and their gradients.
namespace cornu::detail {

namespace {

std::string positions_text(const std::vector<Index>& positions) {
  return fmt::format("detail::Positions<{}>", fmt::join(positions, ", "));
}

/// outer, n and inner, and the positions.
std::string slices_text(const Trace::Op& op, const Shape& x) {
  return fmt::format("{}, {}", around(x, op.integer("axis")), positions_text(op.integers("positions")));
}

CppValue write_take_axis(CppOpWriter& to) {
  return to.call("take_axis", slices_text(to.op(), to.shape(0)), {to.operand(0), to.number_of("fill")});
}

/// outer, n, inner, taps, and the positions. weights: their shape.
std::string taps_text(const Trace::Op& op, const Shape& x, const Shape& weights) {
  return fmt::format("{}, {}, {}", around(x, op.integer("axis")), weights[1], positions_text(op.integers("positions")));
}

CppValue write_resample(CppOpWriter& to) {
  return to.call("resample", taps_text(to.op(), to.shape(0), to.shape(1)), {to.operand(0), to.operand(1)});
}

/// outer, n, m, inner of a value and indices along an axis.
std::string indices_text(const Trace::Op& op, const Shape& x, const Shape& indices) {
  const Index axis = op.integer("axis");
  return fmt::format("{}, {}, {}, {}", x.sub(0, axis).size(), x[axis], indices[axis], x.sub(axis + 1).size());
}

CppValue write_take_along_axis(CppOpWriter& to) {
  return to.call("take_along_axis", indices_text(to.op(), to.shape(0), to.shape(1)), {to.operand(0), to.operand(1)});
}

CppValue write_scatter_add(CppOpWriter& to) {
  return to.call("scatter_add", indices_text(to.op(), to.shape(0), to.shape(1)),
                 {to.operand(0), to.operand(1), to.operand(2)});
}

CppValue write_one_hot(CppOpWriter& to) {
  return to.call("one_hot", fmt::format("{}, {}", to.shape(0).size(), to.op().integer("n")), {to.operand(0)});
}

CppValue write_top_k_indices(CppOpWriter& to) {
  const Index n = to.shape(0)[-1];
  return to.call("top_k_indices", fmt::format("{}, {}, {}", to.shape(0).size() / n, n, to.op().integer("k")),
                 {to.operand(0)});
}

/// The channels of both images and the groups.
std::string channels_text(const Trace::Op& op, const Shape& x, const Shape& y) {
  return fmt::format("{}, {}, {}", x[3], y[3], op.integer("groups"));
}

/// The windows on the result of a transposed convolution.
std::string transposed_window(const Trace::Op& op, const Shape& x, const Shape& y, const Shape& kernel,
                              std::size_t axis) {
  return window_text(op, y, x, axis, kernel[static_cast<Index>(axis)], op.integers("dilations")[axis]);
}

CppValue write_conv2d_transpose(CppOpWriter& to) {
  const Shape x = to.shape(0), y = to.result_shape(), kernel = to.shape(1);
  return to.call(
      "convolve_transposed", channels_text(to.op(), x, y),
      {to.operand(0), transposed_window(to.op(), x, y, kernel, 0), transposed_window(to.op(), x, y, kernel, 1),
       to.weights(1, kernel[3]), to.operand_count() > 2 ? to.operand(2) : "nullptr"});
}

// ---- Gradients ----

using To = CppGradientWriter;

void take_axis_gradient(To& to) { to.add(0, "take_axis_gradient", slices_text(to.op(), to.shape(0)), {to.gradient()}); }

void flip_gradient(To& to) {
  const Index axis = to.op().integer("axis");
  std::vector<Index> positions;
  for (Index at = to.shape(0)[axis]; at-- > 0;) positions.push_back(at);
  to.add(0, "take_axis_gradient", fmt::format("{}, {}", around(to.shape(0), axis), positions_text(positions)),
         {to.gradient()});
}

void resample_gradient(To& to) {
  to.add(0, "resample_gradient", taps_text(to.op(), to.shape(0), to.shape(1)), {to.gradient(), to.operand(1)});
}

void take_along_axis_gradient(To& to) {
  to.add(0, "take_along_axis_gradient", indices_text(to.op(), to.shape(0), to.shape(1)),
         {to.operand(1), to.gradient()});
}

void scatter_add_gradient(To& to) {
  const Index size = to.result_shape().size();
  to.add(0, "add_copy", fmt::format("1, {}, {}, {}", size, size, size), {to.gradient()});
  to.add(2, "scatter_add_gradient", indices_text(to.op(), to.shape(0), to.shape(1)), {to.operand(1), to.gradient()});
}

void conv2d_transpose_gradient(To& to) {
  const Shape x = to.shape(0), y = to.result_shape(), kernel = to.shape(1);
  const CppArgument rows = transposed_window(to.op(), x, y, kernel, 0),
                    columns = transposed_window(to.op(), x, y, kernel, 1);
  to.add(0, "convolve_transposed_input_gradient", channels_text(to.op(), x, y),
         {to.gradient(), rows, columns, to.operand(1)});
  // As of a convolution of the result, with x as the gradient.
  to.add(1, "convolve_weight_gradient", channels_text(to.op(), y, x), {to.gradient(), to.operand(0), rows, columns});
  if (to.operand_count() > 2) {
    to.add(2, "add_rows", fmt::format("{}, {}", y.size() / y[3], y[3]), {to.gradient()});
  }
}

/// Of results that change in steps.
void no_gradient(To&) {}

}  // namespace

CppRows cpp_indexing_rows() {
  return {{"take_axis", write_take_axis},
          {"resample", write_resample},
          {"take_along_axis", write_take_along_axis},
          {"scatter_add", write_scatter_add},
          {"one_hot", write_one_hot},
          {"top_k_indices", write_top_k_indices},
          {"conv2d_transpose", write_conv2d_transpose}};
}

std::vector<std::pair<std::string_view, CppGradientRow>> cpp_indexing_gradient_rows() {
  return {{"take_axis", take_axis_gradient},     {"flip", flip_gradient},
          {"resample", resample_gradient},       {"take_along_axis", take_along_axis_gradient},
          {"scatter_add", scatter_add_gradient}, {"one_hot", no_gradient},
          {"top_k_indices", no_gradient},        {"conv2d_transpose", conv2d_transpose_gradient}};
}

}  // namespace cornu::detail
