#include <algorithm>
#include <array>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/onnx/rows.h"

/// How products, normalizations, and ops that move elements are written.
namespace cornu::onnx::detail {

namespace {

// ---- Products ----

Written write_affine(OpWriter& to) {
  if (to.result().shape.size() == 2) return to.node("Gemm", {to.operand(0), to.operand(1), to.operand(2)});
  return to.node("Add", {to.node("MatMul", {to.operand(0), to.operand(1)}), to.operand(2)});
}

/// Without transposed operands: merge_transposes has written these as ops.
Written write_matmul(OpWriter& to) { return to.node("MatMul", {to.operand(0), to.operand(1)}); }

// ---- Normalization ----

/// x with its features at axis 1: a BatchNormalization. A scale or an offset that is one number is repeated.
std::string batch_normalized(OpWriter& to, const std::string& x) {
  const Shape features = to.value(1).data.shape();
  std::vector<std::string> inputs{x};
  for (const std::size_t i : std::array<std::size_t, 4>{3, 4, 1, 2}) {
    require<ValueError>(to.value(i).is_known(), "{}: a mean or scale that is computed cannot be written", to.op().name);
    const ConstView numbers = to.value(i).data;
    inputs.push_back(to.weight(i, numbers.shape() == features ? Tensor(numbers) : Tensor::full(features, numbers[0])));
  }
  const Given epsilon{"epsilon", to.op().real("epsilon")};
  return to.node("BatchNormalization", inputs, {&epsilon, 1});
}

Written write_batch_normalization(OpWriter& to) {
  const bool first = to.value(0).shape.size() > 2;
  return {batch_normalized(to, first ? to.channels_first(0) : to.operand(0)), first};
}

Written write_layer_normalization(OpWriter& to) {
  const Index axes = to.op().integer("axes");
  const auto weight = [&](std::size_t i) {
    return to.value(i).is_known() ? to.weight(i, Tensor(to.value(i).data)) : to.operand(i);
  };
  const std::string x = to.operand(0), scale = weight(1), offset = weight(2);
  const double epsilon = to.op().real("epsilon");
  if (to.opset() >= 17) {
    return to.node("LayerNormalization", {x, scale, offset}, {{"axis", -axes}, {"epsilon", epsilon}});
  }
  std::vector<Index> last;
  for (Index i = -axes; i < 0; ++i) last.push_back(i);
  const auto mean = [&](const std::string& of) { return to.node("ReduceMean", {of}, {{"axes", last}}); };
  const std::string centred = to.node("Sub", {x, mean(x)});
  const std::string variance = mean(to.node("Mul", {centred, centred}));
  const std::string width = to.node("Sqrt", {to.node("Add", {variance, to.constant(epsilon)})});
  return to.node("Add", {to.node("Mul", {to.node("Div", {centred, width}), scale}), offset});
}

// ---- Shapes ----

/// The axis that counts the samples: the first of both shapes.
bool keeps_batch(const Trace::Dimensions& from, const Trace::Dimensions& to) {
  constexpr Trace::Dimension batch{0, 1};
  return !from.empty() && !to.empty() && from.front() == batch && to.front() == batch;
}

Written write_reshape(OpWriter& to) {
  const Trace::Dimensions &from = to.value(0).shape, &shape = to.result().shape;
  if (keeps_batch(from, shape) && shape.size() == 2) {
    return to.node("Flatten", {to.operand(0)}, {{"axis", Index{1}}});
  }
  std::vector<Index> sizes;
  for (const Trace::Dimension& each : shape) sizes.push_back(each.per_sample == 0 ? each.fixed : -1);
  if (keeps_batch(from, shape)) sizes.front() = 0;  // 0 keeps the batch size, also of no samples
  require<ValueError>(std::count(sizes.begin() + (keeps_batch(from, shape) ? 1 : 0), sizes.end(), 0) == 0,
                      "reshape to {}: an axis of size 0 cannot be written", to_string(shape));
  require<ValueError>(std::count(sizes.begin(), sizes.end(), -1) <= 1,
                      "reshape to {}: only one axis can depend on the batch", to_string(shape));
  return to.node("Reshape", {to.operand(0), to.integers(sizes)});
}

Written write_transpose(OpWriter& to) { return to.transposed(to.operand(0), to.op().integers("axes")); }

Written write_concatenate(OpWriter& to) {
  const Index axis = to.op().integer("axis"), rank = static_cast<Index>(to.result().shape.size());
  bool first = rank > 2;
  for (std::size_t i = 0; i < to.operand_count(); ++i) first = first && to.is_channels_first(i);
  std::vector<std::string> inputs;
  for (std::size_t i = 0; i < to.operand_count(); ++i) inputs.push_back(first ? to.channels_first(i) : to.operand(i));
  const Given at{"axis", first ? channels_first_axis(axis, rank) : axis};
  return {to.node("Concat", inputs, {&at, 1}), first};
}

Written write_slice_axis(OpWriter& to) {
  const Index axis = to.op().integer("axis"), rank = static_cast<Index>(to.result().shape.size());
  const bool first = to.is_channels_first(0) && rank > 2;
  return {to.node("Slice", {first ? to.channels_first(0) : to.operand(0), to.integers({to.op().integer("begin")}),
                            to.integers({to.op().integer("end")}),
                            to.integers({first ? channels_first_axis(axis, rank) : axis})}),
          first};
}

Written write_flip(OpWriter& to) {
  return to.node("Slice", {to.operand(0), to.integers({-1}), to.integers({std::numeric_limits<Index>::min()}),
                           to.integers({to.op().integer("axis")}), to.integers({-1})});
}

Written write_take(OpWriter& to) {
  const std::string rows = to.node("Cast", {to.operand(1)}, {{"to", static_cast<Index>(ElementType::int64)}});
  return to.node("Gather", {to.operand(0), rows}, {{"axis", Index{0}}});
}

/// A row, (1, ...), once for each sample of the second operand.
Written write_repeat(OpWriter& to) {
  std::vector<Index> rest;
  for (auto each = to.result().shape.begin() + 1; each != to.result().shape.end(); ++each) rest.push_back(each->fixed);
  const std::string sizes = to.node("Shape", {to.operand(1)});
  const std::string batch = to.node("Slice", {sizes, to.integers({0}), to.integers({1})});
  return to.node("Expand", {to.operand(0), to.node("Concat", {batch, to.integers(rest)}, {{"axis", Index{0}}})});
}

}  // namespace

OpRows shape_rows() {
  return {{"affine", write_affine},
          {"matmul", write_matmul},
          {"batch_normalization", write_batch_normalization},
          {"batch_normalization_along", [](OpWriter& to) -> Written { return batch_normalized(to, to.operand(0)); }},
          {"layer_normalization", write_layer_normalization},
          {"reshape", write_reshape},
          {"transpose", write_transpose},
          {"concatenate", write_concatenate},
          {"slice_axis", write_slice_axis},
          {"flip", write_flip},
          {"take", write_take},
          {"repeat", write_repeat}};
}

}  // namespace cornu::onnx::detail
