#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// A target shape, in which one dimension may be -1.
Shape shape_of(std::span<const Index> target, Index size) {
  require<FormatError>(std::ssize(target) <= Shape::max_rank, "{} dimensions; at most {} are supported", target.size(),
                       Shape::max_rank);
  std::array<Index, Shape::max_rank> lengths{};
  std::copy(target.begin(), target.end(), lengths.begin());
  Index* open = nullptr;
  Index others = 1;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (lengths[i] != -1) {
      require(!__builtin_mul_overflow(others, lengths[i], &others), "reshape: the dimensions overflow");
      continue;
    }
    require(open == nullptr, "reshape: more than one dimension is -1");
    open = &lengths[i];
  }
  if (open != nullptr) {
    if (others <= 0 || size % others != 0) {
      throw ShapeError(message("reshape: {} elements do not fit into {}", size, to_string(target)));
    }
    *open = size / others;
  }
  return Shape(std::span<const Index>(lengths.data(), target.size()));
}

/// A 0 copies the input's dimension; with allowzero (opset 14) it is a dimension of 0.
void run_reshape(Call& call) {
  const Value& x = call.value(0);
  const std::span<const Index> wanted = call.integers(1);
  const std::span<Index> target = call.memory<Index>(wanted.size());
  for (std::size_t i = 0; i < target.size(); ++i) {
    const bool copied = wanted[i] == 0 && call.integer("allowzero", 0) == 0;
    target[i] = copied ? x.shape()[static_cast<Index>(i)] : wanted[i];
  }
  if (x.is_real()) return call.result(cornu::reshape(plain(x), target));
  call.result(0, reshape(x, shape_of(target, x.size())));
}

void flatten(Call& call) {
  const Value& x = call.value(0);
  const Shape s = x.shape();
  const Index axis = call.integer("axis", 1), at = axis < 0 ? axis + s.rank() : axis;
  require<FormatError>(0 <= at && at <= s.rank(), "axis is {}, the input has shape {}", axis, s);
  call.result(0, reshape(x, Shape{s.sub(0, at).size(), s.sub(at).size()}));
}

/// Before opset 13, the axes are an attribute.
void unsqueeze(Call& call) {
  const Value& x = call.value(0);
  const auto axes = call.integers(1, "axes");
  require<FormatError>(axes.has_value(), "it has no axes");
  const Index rank = x.shape().rank() + std::ssize(*axes);
  const std::span<Index> sorted = call.memory<Index>(axes->size());
  std::transform(axes->begin(), axes->end(), sorted.begin(), [&](Index axis) { return axis < 0 ? axis + rank : axis; });
  std::sort(sorted.begin(), sorted.end());
  Shape shape = x.shape();
  for (const Index axis : sorted) {
    require<FormatError>(0 <= axis && axis <= shape.rank(), "axis {} of a result of {} axes", axis, rank);
    shape = shape.inserted(axis, 1);
  }
  call.result(0, reshape(x, shape));
}

void squeeze(Call& call) {
  const Value& x = call.value(0);
  const Shape s = x.shape();
  const auto axes = call.integers(1, "axes");
  Shape shape;
  for (Index i = 0; i < s.rank(); ++i) {
    bool chosen = !axes && s[i] == 1;
    for (std::size_t k = 0; axes && k < axes->size(); ++k) chosen = chosen || s.normalized((*axes)[k]) == i;
    require<FormatError>(!chosen || s[i] == 1, "axis {} of {} is not 1", i, s);
    if (!chosen) shape = shape.inserted(shape.rank(), s[i]);
  }
  call.result(0, reshape(x, shape));
}

void run_transpose(Call& call) {
  const Value& x = call.value(0);
  if (call.has("perm")) return call.result(0, transpose(call.tape(), x, call.integers("perm")));
  const std::span<Index> reversed = counted(call.tape(), x.shape().rank());
  std::reverse(reversed.begin(), reversed.end());
  call.result(0, transpose(call.tape(), x, reversed));
}

void concat(Call& call) {
  const Value& first = call.value(0);
  bool last = first.layout == Layout::channels_last;
  for (std::size_t i = 1; i < call.input_count(); ++i) last = last && call.value(i).layout == first.layout;
  const Index rank = first.shape().rank(), axis = call.integer("axis");
  if (last && (axis == 1 || axis == 1 - rank)) {
    const std::span<Var> values = call.memory<Var>(call.input_count());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = call.value(i).var;
    return call.result(concatenate(values, -1), Layout::channels_last);
  }
  call.result(0, concatenate(call.tape(), call.from(0), axis));
}

/// The range [start, end), with negative bounds counted from the end and both clamped to the axis.
struct Range {
  Index start, end;

  Range(Index from, Index to, Index extent)
      : start(std::clamp(from < 0 ? from + extent : from, Index{0}, extent)),
        end(std::clamp(to < 0 ? to + extent : to, Index{0}, extent)) {}

  Index length() const { return end - start; }
};

/// Whole numbers that depend on shapes only.
void counts(Call& call, const Shape& shape, std::span<const Index> numbers) {
  call.result(0, whole_value(ElementType::int64, shape, numbers));
}

void shape(Call& call) {
  const Shape s = call.shape(0);
  const Range range(call.integer("start", 0), call.integer("end", s.rank()), s.rank());
  const std::span<Index> lengths = call.memory<Index>(static_cast<std::size_t>(std::max(Index{0}, range.length())));
  for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = s[range.start + static_cast<Index>(i)];
  counts(call, {std::ssize(lengths)}, lengths);
}

void size(Call& call) {
  const std::span<Index> count = call.memory<Index>(1);
  count[0] = call.value(0).size();
  counts(call, {}, count);
}

void constant(Call& call) {
  if (call.has("value_float")) return call.result(call.tape().constant(static_cast<Real>(call.real("value_float", 0))));
  if (call.has("value_floats")) {
    const std::vector<double>& numbers = call.attribute("value_floats", AttributeType::reals).reals;
    const View view = call.tape().scratch({std::ssize(numbers)});
    std::transform(numbers.begin(), numbers.end(), view.begin(),
                   [](double number) { return static_cast<Real>(number); });
    return call.result(call.tape().input(view));
  }
  if (call.has("value_int")) {
    return counts(call, {}, {&call.attribute("value_int", AttributeType::integer).integer, 1});
  }
  if (call.has("value_ints")) {
    const std::span<const Index> numbers = call.integers("value_ints");
    return counts(call, {std::ssize(numbers)}, numbers);
  }
  call.result(0, value_of(call.tape(), call.attribute("value", AttributeType::tensor).tensor));
}

void constant_of_shape(Call& call) {
  const Shape shape(call.integers(0));
  const Elements* const value = call.has("value") ? &call.attribute("value", AttributeType::tensor).tensor : nullptr;
  if (value != nullptr && value->kind() != Kind::real) {
    require<FormatError>(value->integers.size() == 1, "its value has {} elements, expected 1", value->integers.size());
    const std::span<Index> numbers = call.memory<Index>(static_cast<std::size_t>(shape.size()));
    std::fill(numbers.begin(), numbers.end(), value->integers[0]);
    return call.result(0, whole_value(value->type, shape, numbers));
  }
  const View numbers = call.tape().scratch(shape);
  std::fill(numbers.begin(), numbers.end(), value == nullptr ? Real{0} : value->real.item());
  call.result(0, {.type = value == nullptr ? ElementType::float32 : value->type, .var = call.tape().input(numbers)});
}

void run_expand(Call& call) { call.result(0, expand(call.tape(), call.value(0), Shape(call.integers(1)))); }

/// Before opset 10, starts, ends and axes are attributes, and there are no steps.
void run_slice(Call& call) {
  Value y = call.value(0);
  if (y.is_real()) y = {.type = y.type, .var = plain(y)};
  const auto axes = call.integers(3, "axes");
  const auto bounds = [&](std::size_t input, const char* name) {
    return call.has(input) ? call.integers(input) : call.integers(name);
  };
  const std::span<const Index> starts = bounds(1, "starts"), ends = bounds(2, "ends");
  const std::span<const Index> steps = call.has(4) ? call.integers(4) : std::span<const Index>();
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
      y = slice(call.tape(), y, axis, range.start, std::max(range.start, range.end));
      continue;
    }
    const auto inside = [&](Index at) {
      return std::clamp(at < 0 ? at + extent : at, Index{step < 0 ? -1 : 0}, step < 0 ? extent - 1 : extent);
    };
    const Index from = inside(starts[i]), to = inside(ends[i]);
    const std::span<Index> positions =
        counted(call.tape(), std::max(Index{0}, (to - from + (step > 0 ? step - 1 : step + 1)) / step));
    for (Index& position : positions) position = from + position * step;
    y = take(call.tape(), y, axis, positions);
  }
  call.result(0, y);
}

/// Before opset 13, the sizes are an attribute. Without sizes, all parts are equal; as of opset 18, the last one may be
/// smaller.
void split(Call& call) {
  const Value& x = call.value(0);
  const Shape s = x.shape();
  const Index axis = s.normalized(call.integer("axis", 0)), extent = s[axis];
  const auto sizes = call.integers(1, "split");
  const auto count = static_cast<Index>(call.output_count());
  require<FormatError>(call.integer("num_outputs", count) == count, "num_outputs is {}, it has {} outputs",
                       call.integer("num_outputs", count), count);
  const bool may_be_uneven = call.has("num_outputs");
  require<FormatError>(sizes ? std::ssize(*sizes) == count : may_be_uneven || extent % count == 0,
                       "{} positions cannot be split into {} parts", extent, count);
  const Index each = (extent + count - 1) / count;
  Index begin = 0;
  for (std::size_t i = 0; i < call.output_count(); ++i) {
    const Index part = sizes ? (*sizes)[i] : std::min(each, extent - begin);
    require<FormatError>(0 <= part && part <= extent - begin, "part {} has {} positions, {} of {} are left", i, part,
                         extent - begin, extent);
    if (call.wants(i)) call.result(i, slice(call.tape(), x, axis, begin, begin + part));
    begin += part;
  }
  require<FormatError>(begin == extent, "its parts have {} positions, axis {} of {} has {}", begin, axis, s, extent);
}

}  // namespace

std::span<const Op> shape_ops() {
  constexpr Gradient zero = Gradient::zero;
  static constexpr Op ops[] = {
      {.name = "Concat", .since = 4, .inputs = {1, many}, .attributes = "axis ", .takes = anything, .run = concat},
      {.name = "Constant",
       .inputs = {0, 0},
       .attributes = "value value_float value_floats value_int value_ints ",
       .takes = anything,
       .gradient = zero,
       .run = constant},
      {.name = "ConstantOfShape",
       .since = 9,
       .attributes = "value ",
       .takes = integers,
       .gradient = zero,
       .run = constant_of_shape},
      {.name = "Expand", .since = 8, .inputs = {2, 2}, .takes = anything, .run = run_expand},
      {.name = "Flatten", .attributes = "axis ", .takes = anything, .run = flatten},
      {.name = "Reshape",
       .since = 5,
       .inputs = {2, 2},
       .attributes = "allowzero ",
       .takes = anything,
       .run = run_reshape},
      {.name = "Shape", .attributes = "end start ", .takes = anything, .gradient = zero, .run = shape},
      {.name = "Size", .takes = anything, .gradient = zero, .run = size},
      {.name = "Slice", .inputs = {1, 5}, .attributes = "axes ends starts ", .takes = anything, .run = run_slice},
      {.name = "Split",
       .since = 2,
       .inputs = {1, 2},
       .outputs = many,
       .attributes = "axis num_outputs split ",
       .takes = anything,
       .run = split},
      {.name = "Squeeze", .inputs = {1, 2}, .attributes = "axes ", .takes = anything, .run = squeeze},
      {.name = "Transpose", .attributes = "perm ", .takes = anything, .run = run_transpose},
      {.name = "Unsqueeze", .inputs = {1, 2}, .attributes = "axes ", .takes = anything, .run = unsqueeze},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
