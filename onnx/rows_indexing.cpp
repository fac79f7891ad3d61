#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/onnx/rows.h"

/// How ops that select, pad, scatter and interpolate are written, and transposed convolutions.
namespace cornu::onnx::detail {

namespace {

/// Operand 0 and one of its axes, in the layout that it has in the graph.
struct Along {
  std::string x;
  Index axis, rank;
  bool first;

  explicit Along(OpWriter& to) : axis(to.op().integer("axis")), rank(static_cast<Index>(to.value(0).shape.size())) {
    first = rank > 2 && to.is_channels_first(0);
    x = first ? to.channels_first(0) : to.operand(0);
    if (first) axis = channels_first_axis(axis, rank);
  }
  std::string padded(OpWriter& to, Index before, Index after) const {
    std::vector<Index> pads(static_cast<std::size_t>(2 * rank));
    pads[static_cast<std::size_t>(axis)] = before;
    pads[static_cast<std::size_t>(rank + axis)] = after;
    return to.node("Pad", {x, to.integers(pads), to.constant(to.op().real("fill"))});
  }
};

std::string whole_numbers(OpWriter& to, std::size_t operand) {
  return to.node("Cast", {to.operand(operand)}, {{"to", static_cast<Index>(ElementType::int64)}});
}

Written write_take_axis(OpWriter& to) {
  const Trace::Dimension length = to.value(0).shape[static_cast<std::size_t>(to.op().integer("axis"))];
  const std::vector<Index>& positions = to.op().integers("positions");
  const Along at(to);
  const auto is_fill = [](Index position) { return position < 0; };
  const auto begin = std::find_if_not(positions.begin(), positions.end(), is_fill),
             end = std::find_if_not(positions.rbegin(), positions.rend(), is_fill).base();
  if (begin == positions.end() || std::none_of(positions.begin(), positions.end(), is_fill)) {
    if (positions.empty() || begin != positions.end()) {
      return {to.node("Gather", {at.x, to.integers(positions)}, {{"axis", at.axis}}), at.first};
    }
  } else if (length.per_sample == 0 && *begin == 0 && end - begin == length.fixed &&
             std::adjacent_find(begin, end, [](Index a, Index b) { return b != a + 1; }) == end) {
    return {at.padded(to, begin - positions.begin(), positions.end() - end), at.first};
  }
  // Position -1 is the last one, which is padding.
  return {to.node("Gather", {at.padded(to, 0, 1), to.integers(positions)}, {{"axis", at.axis}}), at.first};
}

/// A sum over the taps of slices times weights.
Written write_resample(OpWriter& to) {
  require<ValueError>(to.value(1).is_known(), "resample: weights that are computed cannot be written");
  const ConstView weights = to.value(1).data;
  const std::vector<Index>& positions = to.op().integers("positions");
  const Along at(to);
  const Index n = weights.shape()[0], taps = weights.shape()[1];
  std::string sum;
  for (Index tap = 0; tap < taps; ++tap) {
    Tensor each(Shape{n});
    std::vector<Index> from;
    for (Index i = 0; i < n; ++i) {
      each[i] = weights[i * taps + tap];
      from.push_back(positions[static_cast<std::size_t>(i * taps + tap)]);
    }
    if (std::all_of(each.begin(), each.end(), [](Real weight) { return weight == 0; }) && tap + 1 < taps) continue;
    Shape shape{n};
    for (Index axis = at.axis + 1; axis < at.rank; ++axis) shape = shape.inserted(shape.rank(), 1);
    const std::string slices = to.node("Gather", {at.x, to.integers(from)}, {{"axis", at.axis}});
    const std::string product = to.node("Mul", {slices, to.constant(reshape(each, shape))});
    sum = sum.empty() ? product : to.node("Add", {sum, product});
  }
  return {sum, at.first};
}

Written write_take_along_axis(OpWriter& to) {
  return to.node("GatherElements", {to.operand(0), whole_numbers(to, 1)}, {{"axis", to.op().integer("axis")}});
}

Written write_scatter_add(OpWriter& to) {
  require<ValueError>(to.opset() >= 16, "scatter_add: opset {} has no op that adds; opset 16 or later is required",
                      to.opset());
  return to.node("ScatterElements", {to.operand(0), whole_numbers(to, 1), to.operand(2)},
                 {{"axis", to.op().integer("axis")}, {"reduction", "add"}});
}

/// Not as OneHot, which counts negative indices from the end.
Written write_one_hot(OpWriter& to) {
  const Index n = to.op().integer("n");
  Tensor positions(Shape{n});
  for (Index i = 0; i < n; ++i) positions[i] = static_cast<Real>(i);
  const std::string indices = to.node("Unsqueeze", {to.operand(0), to.integers({-1})});
  return to.node("Cast", {to.node("Equal", {indices, to.constant(positions)})},
                 {{"to", static_cast<Index>(ElementType::float32)}});
}

Written write_top_k_indices(OpWriter& to) {
  const std::vector<std::string> inputs{to.operand(0), to.integers({to.op().integer("k")})};
  return to.node("Cast", {to.nodes("TopK", inputs, 2)[1]}, {{"to", static_cast<Index>(ElementType::float32)}});
}

Written write_conv2d_transpose(OpWriter& to) {
  for (std::size_t i = 1; i < to.operand_count(); ++i) {
    require<ValueError>(to.value(i).is_known(),
                        "conv2d_transpose: a kernel or bias that is computed cannot be written");
  }
  const Tensor kernel(to.value(1).data);  // (rows, columns, out / groups, in)
  std::vector<std::string> inputs{to.channels_first(0), to.weight(1, transpose(kernel, {3, 2, 0, 1}))};
  if (to.operand_count() > 2) inputs.push_back(to.weight(2, Tensor(to.value(2).data)));
  const std::vector<NodeAttribute> given{{"dilations", to.op().integers("dilations")},
                                         {"group", to.op().integer("groups")},
                                         {"kernel_shape", std::vector<Index>{kernel.shape()[0], kernel.shape()[1]}},
                                         {"output_padding", to.op().integers("output_padding")},
                                         {"pads", to.op().integers("pads")},
                                         {"strides", to.op().integers("strides")}};
  return {to.node("ConvTranspose", inputs, given), true};
}

}  // namespace

OpRows indexing_rows() {
  return {{"take_axis", write_take_axis},
          {"resample", write_resample},
          {"take_along_axis", write_take_along_axis},
          {"scatter_add", write_scatter_add},
          {"one_hot", write_one_hot},
          {"top_k_indices", write_top_k_indices},
          {"conv2d_transpose", write_conv2d_transpose}};
}

}  // namespace cornu::onnx::detail
