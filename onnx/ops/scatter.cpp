#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

/// Ops that write at positions: Scatter, ScatterElements, ScatterND, TensorScatter; and GatherND, their counterpart.
namespace cornu::onnx::detail {

namespace {

enum class Combined { replaced, added, multiplied, largest, smallest };

Combined combined(const Call& call) {
  const std::string_view name = call.text("reduction", "none");
  static constexpr std::array<std::string_view, 5> names{"none", "add", "mul", "max", "min"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<Combined>(i);
  }
  throw FormatError(message("reduction is '{}'; none, add, mul, max and min are known", name));
}

Index combine(Combined how, Index a, Index b) {
  Index y = 0;
  bool overflows = false;
  switch (how) {
    case Combined::replaced:
      return b;
    case Combined::added:
      overflows = __builtin_add_overflow(a, b, &y);
      break;
    case Combined::multiplied:
      overflows = __builtin_mul_overflow(a, b, &y);
      break;
    case Combined::largest:
      return std::max(a, b);
    case Combined::smallest:
      return std::min(a, b);
  }
  require<ValueError>(!overflows, "its integers overflow 64 bits");
  return y;
}

Var combine(Combined how, Var a, Var b) {
  return how == Combined::added        ? a + b
         : how == Combined::multiplied ? a * b
         : how == Combined::largest    ? maximum(a, b)
                                       : minimum(a, b);
}

Real neutral(Combined how) {
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  return how == Combined::added        ? Real{0}
         : how == Combined::multiplied ? Real{1}
         : how == Combined::largest    ? -infinity
                                       : infinity;
}

/// x with updates[i] written at the flat position targets[i]; of several updates of one position, the last one.
Value replace(Tape& tape, const Value& x, const Value& updates, std::span<const Index> targets) {
  const std::span<Index> from = counted(tape, x.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    from[static_cast<std::size_t>(targets[i])] = x.size() + static_cast<Index>(i);
  }
  const std::array<Value, 2> both{reshape(x, Shape{x.size()}), reshape(updates, Shape{updates.size()})};
  return gather(tape, concatenate(tape, both, 0), x.shape(), from);
}

/// Floats: combines each element that is updated with its updates, in a tree, so that the gradient is exact (also of
/// products with zeros) and the number of ops is the logarithm of the number of updates of one element.
Var combine_all(Tape& tape, Combined how, Var x, Var updates, std::span<const Index> targets) {
  const std::span<Index> order = counted(tape, std::ssize(targets));
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
    return targets[static_cast<std::size_t>(a)] < targets[static_cast<std::size_t>(b)];
  });
  // Each group is an element of x followed by its updates.
  const std::span<Index> from = tape_memory<Index>(tape, 2 * targets.size()),
                         changed = tape_memory<Index>(tape, targets.size());
  std::span<Index> lengths = tape_memory<Index>(tape, targets.size());
  std::size_t count = 0, groups = 0;
  for (const Index i : order) {
    const Index target = targets[static_cast<std::size_t>(i)];
    if (groups == 0 || changed[groups - 1] != target) {
      changed[groups] = target;
      lengths[groups++] = 1;
      from[count++] = target;
    }
    from[count++] = x.size() + i;
    ++lengths[groups - 1];
  }
  lengths = lengths.first(groups);
  Var y = take(cornu::concatenate({cornu::reshape(x, {-1}), cornu::reshape(updates, {-1})}, 0), 0, from.first(count));
  while (y.size() > std::ssize(lengths)) {
    const std::span<Index> left = tape_memory<Index>(tape, count), right = tape_memory<Index>(tape, count);
    std::size_t pairs = 0;
    Index at = 0;
    for (Index& length : lengths) {
      for (Index i = 0; i < length; i += 2) {
        left[pairs] = at + i;
        right[pairs++] = i + 1 < length ? at + i + 1 : -1;
      }
      at += length;
      length = (length + 1) / 2;
    }
    y = combine(how, take(y, 0, left.first(pairs)), take(y, 0, right.first(pairs), neutral(how)));
    count = pairs;
  }
  return plain(replace(tape, {.var = x}, {.var = y}, changed.first(groups)));
}

/// Writes or combines `updates` at flat positions of input 0.
void write(Call& call, const Value& updates, std::span<const Index> targets, Combined how) {
  const Value& x = call.value(0);
  require<FormatError>(updates.kind() == x.kind(), "its updates are of another type than its data");
  if (how == Combined::replaced || targets.empty()) {
    return call.result(0, replace(call.tape(), x, updates, targets));
  }
  if (x.is_real()) return call.result(combine_all(call.tape(), how, plain(x), plain(updates), targets));
  const std::span<Index> y = call.memory<Index>(x.numbers().size());
  std::copy(x.numbers().begin(), x.numbers().end(), y.begin());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Index& result = y[static_cast<std::size_t>(targets[i])];
    result = wrapped(x.type, combine(how, result, updates.integers[i]));
  }
  call.integer_result(0, x.type, x.whole, y);
}

Index inside(Index index, Index n) {
  require<ValueError>(-n <= index && index < n, "index {} is outside of an axis of {}", index, n);
  return index < 0 ? index + n : index;
}

/// For axis 0: y[indices[i, j, k], j, k] = updates[i, j, k].
void scatter_elements(Call& call) {
  const Value &x = call.value(0), &updates = call.value(2);
  const Shape s = x.shape(), at = call.shape(1);
  const Index axis = axis_of(call.integer("axis", 0), s);
  const std::span<const Index> indices = call.integers(1);
  require<ShapeError>(at.rank() == s.rank() && updates.shape() == at,
                      "indices of shape {} and updates of shape {} for {}", at, updates.shape(), s);
  const std::span<Index> targets = call.memory<Index>(indices.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    Index rest = static_cast<Index>(i), stride = 1, flat = 0;
    for (Index d = s.rank() - 1; d >= 0; --d) {
      const Index along = d == axis ? inside(indices[i], s[d]) : rest % at[d];
      require<ValueError>(along < s[d], "indices of shape {} into {}", at, s);
      flat += along * stride;
      rest /= at[d];
      stride *= s[d];
    }
    targets[i] = flat;
  }
  write(call, updates, targets, combined(call));
}

Shape shape_of_slices(const Shape& shape, const Shape& at, Index batch) {
  Shape result = at.sub(0, at.rank() - 1);
  for (Index i = batch + at[-1]; i < shape.rank(); ++i) result = result.inserted(result.rank(), shape[i]);
  return result;
}

/// The flat positions in `shape` of the slices that rows of indices select. The first `batch` axes are not indexed:
/// they are those of the indices.
std::span<Index> slices_at(const Call& call, const Shape& shape, const Shape& at, Index batch) {
  const std::span<const Index> indices = call.integers(1);
  require<FormatError>(at.rank() > 0 && 0 <= batch && batch < at.rank() && batch + at[-1] <= shape.rank(),
                       "indices of shape {} into {}, with {} batch axes", at, shape, batch);
  require<ShapeError>(at.sub(0, batch) == shape.sub(0, batch), "indices of shape {} into {}, with {} batch axes", at,
                      shape, batch);
  const Index depth = at[-1], each = shape.sub(batch + depth).size(), rows = at.sub(0, at.rank() - 1).size();
  const Index of_batch = at.sub(batch, at.rank() - 1).size();
  const std::span<Index> positions =
      call.memory<Index>(static_cast<std::size_t>(shape_of_slices(shape, at, batch).size()));
  for (Index row = 0; row < rows && each > 0; ++row) {
    Index flat = row / of_batch;
    for (Index d = 0; d < depth; ++d) {
      const Index n = shape[batch + d];
      flat = flat * n + inside(indices[static_cast<std::size_t>(row * depth + d)], n);
    }
    std::iota(positions.begin() + row * each, positions.begin() + (row + 1) * each, flat * each);
  }
  return positions;
}

/// y[indices[i]] = updates[i], for indices of elements or slices.
void scatter_nd(Call& call) {
  const Shape s = call.shape(0), at = call.shape(1);
  const std::span<const Index> targets = slices_at(call, s, at, 0);
  const Shape required = shape_of_slices(s, at, 0);
  require<ShapeError>(call.shape(2) == required, "updates of shape {}; {} is required", call.shape(2), required);
  write(call, call.value(2), targets, combined(call));
}

void gather_nd(Call& call) {
  const Shape s = call.shape(0), at = call.shape(1);
  const Index batch = call.integer("batch_dims", 0);
  const std::span<const Index> positions = slices_at(call, s, at, batch);
  call.result(0, gather(call.tape(), call.value(0), shape_of_slices(s, at, batch), positions));
}

/// Writes a sequence into a cache, for each sample from its index on; the mode circular continues at the start.
void tensor_scatter(Call& call) {
  const Shape s = call.shape(0), part = call.shape(1);
  const Index axis = axis_of(call.integer("axis", -2), s);
  const std::string_view mode = call.text("mode", "linear");
  require<FormatError>(mode == "linear" || mode == "circular", "mode is '{}'; linear and circular are known", mode);
  require<FormatError>(axis > 0, "its axis is 0, which counts samples");
  require<ShapeError>(part.rank() == s.rank() && part.with(axis, s[axis]) == s && part[axis] <= s[axis],
                      "an update of shape {} for {}, along axis {}", part, s, axis);
  const bool starts_given = call.has(2);
  const std::span<const Index> starts = starts_given ? call.integers(2) : std::span<const Index>();
  require<ShapeError>(!starts_given || std::ssize(starts) == s[0], "{} indices for {} samples", starts.size(), s[0]);
  const Index n = s[axis], steps = part[axis], inner = s.sub(axis + 1).size(), outer = s.sub(0, axis).size();
  const std::span<Index> targets = call.memory<Index>(static_cast<std::size_t>(part.size()));
  auto to = targets.begin();
  for (Index o = 0; o < outer && steps * inner > 0; ++o) {
    const Index start = starts_given ? starts[static_cast<std::size_t>(o / (outer / s[0]))] : 0;
    require<ValueError>(0 <= start && start < n && (mode == "circular" || start <= n - steps),
                        "{} steps from {} on do not fit into {}", steps, start, n);
    for (Index step = 0; step < steps; ++step, to += inner) {
      std::iota(to, to + inner, (o * n + (start + step) % n) * inner);
    }
  }
  write(call, call.value(1), targets, Combined::replaced);
}

}  // namespace

std::span<const Op> scatter_ops() {
  static constexpr Op ops[] = {
      {.name = "GatherND",
       .since = 11,
       .inputs = {2, 2},
       .attributes = "batch_dims ",
       .takes = anything,
       .run = gather_nd},
      {.name = "Scatter",
       .since = 9,
       .inputs = {3, 3},
       .attributes = "axis ",
       .takes = anything,
       .run = scatter_elements},
      {.name = "ScatterElements",
       .since = 11,
       .inputs = {3, 3},
       .attributes = "axis reduction ",
       .takes = anything,
       .run = scatter_elements},
      {.name = "ScatterND",
       .since = 11,
       .inputs = {3, 3},
       .attributes = "reduction ",
       .takes = anything,
       .run = scatter_nd},
      {.name = "TensorScatter",
       .since = 24,
       .inputs = {2, 3},
       .attributes = "axis mode ",
       .takes = anything,
       .run = tensor_scatter},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
