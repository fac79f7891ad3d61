#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// A 0 copies the input's dimension; with allowzero (opset 14) it is a dimension of 0.
void reshape(Call& call) {
  const Var x = call[0];
  const std::span<const Index> wanted = call.integers(1);
  require<FormatError>(wanted.size() <= Shape::max_rank, "{} dimensions; at most {} are supported", wanted.size(),
                       Shape::max_rank);
  const std::span<Index> target = call.memory<Index>(wanted.size());
  for (std::size_t i = 0; i < target.size(); ++i) {
    const bool copied = wanted[i] == 0 && call.integer("allowzero", 0) == 0;
    target[i] = copied ? x.shape()[static_cast<Index>(i)] : wanted[i];
  }
  call.reshaped_result(cornu::reshape(x, target));
}

void flatten(Call& call) {
  const Var x = call[0];
  const Index axis = call.integer("axis", 1), at = axis < 0 ? axis + x.rank() : axis;
  require<FormatError>(0 <= at && at <= x.rank(), "axis is {}, the input has shape {}", axis, x.shape());
  call.reshaped_result(cornu::reshape(x, {x.shape().sub(0, at).size(), x.shape().sub(at).size()}));
}

/// Before opset 13, the axes are an attribute.
void unsqueeze(Call& call) {
  const Var x = call[0];
  const auto axes = call.integers(1, "axes");
  require<FormatError>(axes.has_value(), "it has no axes");
  const Index rank = x.rank() + static_cast<Index>(axes->size());
  const std::span<Index> sorted = call.memory<Index>(axes->size());
  std::transform(axes->begin(), axes->end(), sorted.begin(), [&](Index axis) { return axis < 0 ? axis + rank : axis; });
  std::sort(sorted.begin(), sorted.end());
  Shape shape = x.shape();
  for (const Index axis : sorted) {
    require<FormatError>(0 <= axis && axis <= shape.rank(), "axis {} of a result of {} axes", axis, rank);
    shape = shape.inserted(axis, 1);
  }
  call.reshaped_result(cornu::reshape(x, shape));
}

void squeeze(Call& call) {
  const Var x = call[0];
  const auto axes = call.integers(1, "axes");
  Shape shape;
  for (Index i = 0; i < x.rank(); ++i) {
    bool chosen = !axes && x.shape()[i] == 1;
    for (std::size_t k = 0; axes && k < axes->size(); ++k) chosen = chosen || x.shape().normalized((*axes)[k]) == i;
    require<FormatError>(!chosen || x.shape()[i] == 1, "axis {} of {} is not 1", i, x.shape());
    if (!chosen) shape = shape.inserted(shape.rank(), x.shape()[i]);
  }
  call.reshaped_result(cornu::reshape(x, shape));
}

void transpose(Call& call) {
  const Var x = call[0];
  call.result(call.has("perm") ? cornu::transpose(x, call.integers("perm")) : cornu::transpose(x), call.kind(0));
}

void concat(Call& call) {
  const Value& first = call.value(0);
  bool last = first.layout == Layout::channels_last;
  for (std::size_t i = 1; i < call.input_count(); ++i) last = last && call.value(i).layout == first.layout;
  const Index rank = first.var.rank(), axis = call.integer("axis");
  if (last && (axis == 1 || axis == 1 - rank)) {
    const std::span<Var> values = call.memory<Var>(call.input_count());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = call.value(i).var;
    return call.result(0, concatenate(values, -1), call.kind(0), Layout::channels_last);
  }
  call.result(concatenate(call.from(0), axis), call.kind(0));
}

/// The range [start, end), with negative bounds counted from the end and both clamped to the axis.
struct Range {
  Index start, end;

  Range(Index from, Index to, Index extent)
      : start(std::clamp(from < 0 ? from + extent : from, Index{0}, extent)),
        end(std::clamp(to < 0 ? to + extent : to, Index{0}, extent)) {}

  Index length() const { return end - start; }
};

void shape(Call& call) {
  const Shape s = call[0].shape();
  const Range range(call.integer("start", 0), call.integer("end", s.rank()), s.rank());
  const std::span<Index> lengths = call.memory<Index>(static_cast<std::size_t>(std::max(Index{0}, range.length())));
  for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = s[range.start + static_cast<Index>(i)];
  call.integer_result({std::ssize(lengths)}, lengths);
}

void size(Call& call) {
  const std::span<Index> count = call.memory<Index>(1);
  count[0] = call[0].size();
  call.integer_result({}, count);
}

void constant(Call& call) {
  if (call.has("value_float")) return call.result(call.tape().constant(static_cast<Real>(call.real("value_float", 0))));
  if (call.has("value_int"))
    return call.integer_result({}, {&call.attribute("value_int", AttributeType::integer).integer, 1});
  if (call.has("value_ints")) {
    const std::span<const Index> numbers = call.integers("value_ints");
    return call.integer_result({std::ssize(numbers)}, numbers);
  }
  const Attribute& value = call.attribute("value", AttributeType::tensor);
  call.result(0, value_of(call.tape(), value.tensor, value.kind, value.tensor_integers));
}

void constant_of_shape(Call& call) {
  const View numbers = call.tape().scratch(Shape(call.integers(0)));
  const Attribute* const value = call.has("value") ? &call.attribute("value", AttributeType::tensor) : nullptr;
  std::fill(numbers.begin(), numbers.end(), value == nullptr ? Real{0} : value->tensor.item());
  const bool is_rounded = value != nullptr && !value->tensor_integers.empty();
  call.result(0, {.var = call.tape().input(numbers),
                  .kind = value == nullptr ? Kind::real : value->kind,
                  .rounding = is_rounded ? Rounding::rounded : Rounding::exact});
}

void expand(Call& call) { call.result(detail::expand(call[0], Shape(call.integers(1))), call.kind(0)); }

Index longest_axis(const Shape& shape) {
  Index result = 0;
  for (const Index length : shape.dimensions()) result = std::max(result, length);
  return result;
}

/// Before opset 10, starts, ends and axes are attributes, and there are no steps.
void slice(Call& call) {
  Var y = call[0];
  const auto axes = call.integers(3, "axes");
  const Index longest = longest_axis(y.shape());
  const auto bounds = [&](std::size_t input, const char* name) {
    return call.has(input) ? call.bounds(input, longest) : call.integers(name);
  };
  const std::span<const Index> starts = bounds(1, "starts"), ends = bounds(2, "ends");
  const std::span<const Index> steps = call.has(4) ? call.bounds(4, longest) : std::span<const Index>();
  require<FormatError>(starts.size() == ends.size() && (!axes || axes->size() == starts.size()) &&
                           (!call.has(4) || steps.size() == starts.size()),
                       "starts, ends, axes and steps differ in length");
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const Index axis = axes ? (*axes)[i] : static_cast<Index>(i), extent = y.shape()[axis];
    // A step beyond the axis selects one element; clamping prevents overflow.
    const Index step = call.has(4) ? std::clamp(steps[i], -extent - 1, extent + 1) : 1;
    require<FormatError>(step != 0, "a step is 0");
    if (step == 1) {
      const Range range(starts[i], ends[i], extent);
      y = cornu::slice_axis(y, axis, range.start, std::max(range.start, range.end));
      continue;
    }
    const auto inside = [&](Index at) {
      return std::clamp(at < 0 ? at + extent : at, Index{step < 0 ? -1 : 0}, step < 0 ? extent - 1 : extent);
    };
    const Index from = inside(starts[i]), to = inside(ends[i]);
    const std::span<Index> positions =
        counted(call.tape(), std::max(Index{0}, (to - from + (step > 0 ? step - 1 : step + 1)) / step));
    for (Index& position : positions) position = from + position * step;
    y = take(y, axis, positions);
  }
  call.result(y, call.kind(0));
}

/// Before opset 13, the sizes are an attribute. Without sizes, all parts are equal.
void split(Call& call) {
  const Var x = call[0];
  const Index axis = x.shape().normalized(call.integer("axis", 0)), extent = x.shape()[axis];
  const auto sizes = call.integers(1, "split");
  const auto count = static_cast<Index>(call.output_count());
  require<FormatError>(sizes ? static_cast<Index>(sizes->size()) == count : extent % count == 0,
                       "{} positions cannot be split into {} parts", extent, count);
  Index begin = 0;
  for (std::size_t i = 0; i < call.output_count(); ++i) {
    const Index part = sizes ? (*sizes)[i] : extent / count;
    require<FormatError>(0 <= part && part <= extent - begin, "part {} has {} positions, {} of {} are left", i, part,
                         extent - begin, extent);
    const Index end = begin + part;
    call.result(i, cornu::slice_axis(x, axis, begin, end), call.kind(0));
    begin = end;
  }
  require<FormatError>(begin == extent, "its parts have {} positions, axis {} of {} has {}", begin, axis, x.shape(),
                       extent);
}

}  // namespace

std::span<const Op> shape_ops() {
  static constexpr Op ops[] = {
      {"Concat", 4, 1, many, 1, "axis ", 0, concat, ~0U},
      {"Constant", 1, 0, 0, 1, "value value_float value_int value_ints ", 0, constant},
      {"ConstantOfShape", 9, 1, 1, 1, "value ", 0, constant_of_shape, 0b1},
      {"Expand", 8, 2, 2, 1, "", 0, expand, 0b11},
      {"Flatten", 1, 1, 1, 1, "axis ", 0, flatten, 0b1},
      {"Reshape", 5, 2, 2, 1, "allowzero ", 0, reshape, 0b11},
      {"Shape", 1, 1, 1, 1, "end start ", 0, shape, 0b1},
      {"Size", 1, 1, 1, 1, "", 0, size, 0b1},
      {"Slice", 1, 1, 5, 1, "axes ends starts ", 0, slice, 0b11111},
      {"Split", 2, 1, 2, many, "axis split ", 0, split, 0b11},
      {"Squeeze", 1, 1, 2, 1, "axes ", 0, squeeze, 0b11},
      {"Transpose", 1, 1, 1, 1, "perm ", 0, transpose, 0b1},
      {"Unsqueeze", 1, 1, 2, 1, "axes ", 0, unsqueeze, 0b11},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
