#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// Positions along an axis of n; negative ones count from the end.
std::span<Index> positions_along(const Call& call, std::size_t input, Index n) {
  const std::span<const Index> given = call.integers(input);
  const std::span<Index> result = call.memory<Index>(given.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    require<ValueError>(-n <= given[i] && given[i] < n, "index {} is outside of an axis of {}", given[i], n);
    result[i] = given[i] < 0 ? given[i] + n : given[i];
  }
  return result;
}

void run_gather(Call& call) {
  const Value &x = call.value(0), &at = call.value(1);
  const Index axis = axis_of(call.integer("axis", 0), x.shape()), n = x.shape()[axis];
  const std::span<const Index> given = call.integers(1);
  const bool is_embedding = x.is_real() && axis == 0 && x.shape().rank() == 2 && n < Index{1} << 24 &&
                            std::all_of(given.begin(), given.end(), [n](Index row) { return 0 <= row && row < n; });
  if (is_embedding) return call.result(cornu::take(plain(x), call.as_real(1)));
  Shape shape = x.shape().without(axis);
  for (Index i = 0; i < at.whole.rank(); ++i) shape = shape.inserted(axis + i, at.whole[i]);
  call.result(0, reshape(take(call.tape(), x, axis, positions_along(call, 1, n)), shape));
}

/// For axis 0: y[i, j, k] = x[indices[i, j, k], j, k].
void gather_elements(Call& call) {
  const Value& x = call.value(0);
  const Shape s = x.shape(), at = call.shape(1);
  const Index axis = axis_of(call.integer("axis", 0), s);
  require<FormatError>(at.rank() == s.rank(), "indices of shape {} into {}", at, s);
  const std::span<Index> positions = positions_along(call, 1, s[axis]);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    Index rest = static_cast<Index>(i), stride = 1, flat = 0;
    for (Index d = s.rank() - 1; d >= 0; --d) {
      const Index along = d == axis ? positions[i] : rest % at[d];
      require<ValueError>(along < s[d], "indices of shape {} into {}", at, s);
      flat += along * stride;
      rest /= at[d];
      stride *= s[d];
    }
    positions[i] = flat;
  }
  call.result(0, gather(call.tape(), x, at, positions));
}

/// Selects from x and y laid out one after the other, so that a NaN in the one not chosen does not propagate.
void where(Call& call) {
  require<FormatError>(call.kind(0) == Kind::boolean, "its condition must be booleans");
  const Value &x = call.value(1), &y = call.value(2);
  const Shape condition = call.shape(0);
  const Shape shape = broadcast(broadcast(condition, x.shape(), "Where"), y.shape(), "Where");
  Tape& tape = call.tape();
  const std::span<const Index> given = call.integers(0);
  const auto chosen = broadcast_positions(tape, condition, shape), of_x = broadcast_positions(tape, x.shape(), shape),
             of_y = broadcast_positions(tape, y.shape(), shape);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    chosen[i] = given[static_cast<std::size_t>(chosen[i])] != 0 ? of_x[i] : x.size() + of_y[i];
  }
  const std::array<Value, 2> both{reshape(x, Shape{x.size()}), reshape(y, Shape{y.size()})};
  call.result(0, gather(tape, concatenate(tape, both, 0), shape, chosen));
}

}  // namespace

std::span<const Op> selection_ops() {
  static constexpr Op ops[] = {
      {.name = "Gather", .inputs = {2, 2}, .attributes = "axis ", .takes = anything, .weights = 0b1, .run = run_gather},
      {.name = "GatherElements",
       .since = 11,
       .inputs = {2, 2},
       .attributes = "axis ",
       .takes = anything,
       .run = gather_elements},
      {.name = "Where", .since = 9, .inputs = {3, 3}, .takes = anything, .data = 1, .run = where},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
