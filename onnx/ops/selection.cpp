#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// Integer positions along an axis of size n; negative ones count from the end.
std::span<Index> positions_along(const Call& call, std::size_t input, Index n) {
  const std::span<const Index> given = call.integers(input);
  const std::span<Index> result = call.memory<Index>(given.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    require<ValueError>(-n <= given[i] && given[i] < n, "index {} is outside of an axis of {}", given[i], n);
    result[i] = given[i] < 0 ? given[i] + n : given[i];
  }
  return result;
}

void gather(Call& call) {
  const Var x = call[0];
  const Index axis = x.shape().normalized(call.integer("axis", 0));
  const bool is_exact = call.kind(1) != Kind::real && call.value(1).rounding == Rounding::exact;
  if (axis == 0 && x.rank() == 2 && is_exact) {  // an embedding
    const ConstView rows = call[1].value();
    if (std::all_of(rows.begin(), rows.end(), [](Real row) { return row >= 0; })) {
      return call.result(cornu::take(x, call[1]), call.kind(0));
    }
  }
  const Shape at = call[1].shape();
  Shape shape = x.shape().without(axis);
  for (Index i = 0; i < at.rank(); ++i) shape = shape.inserted(axis + i, at[i]);
  call.result(reshape(take(x, axis, positions_along(call, 1, x.shape()[axis])), shape), call.kind(0));
}

/// For axis 0: y[i, j, k] = x[indices[i, j, k], j, k].
void gather_elements(Call& call) {
  const Var x = call[0];
  const Shape s = x.shape(), at = call[1].shape();
  const Index axis = s.normalized(call.integer("axis", 0));
  require<FormatError>(at.rank() == s.rank(), "indices of shape {} into {}", at, s);
  const std::span<Index> positions = positions_along(call, 1, s[axis]);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    Index rest = static_cast<Index>(i), stride = 1, flat = 0;
    for (Index d = s.rank() - 1; d >= 0; --d) {
      flat += (d == axis ? positions[i] : rest % at[d]) * stride;
      rest /= at[d];
      stride *= s[d];
    }
    positions[i] = flat;
  }
  call.result(reshape(take(reshape(x, {x.size()}), 0, positions), at), call.kind(0));
}

/// Selects from the concatenation of x and y, so that a NaN in the one not chosen does not propagate.
void where(Call& call) {
  const Var condition = call[0], x = call[1], y = call[2];
  const Shape shape = broadcast(broadcast(condition.shape(), x.shape(), "Where"), y.shape(), "Where");
  Tape& tape = call.tape();
  const auto chosen = broadcast_positions(tape, condition.shape(), shape),
             of_x = broadcast_positions(tape, x.shape(), shape), of_y = broadcast_positions(tape, y.shape(), shape);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    chosen[i] = condition.value()[chosen[i]] != 0 ? of_x[i] : x.size() + of_y[i];
  }
  const Var both = concatenate({reshape(x, {x.size()}), reshape(y, {y.size()})}, 0);
  call.result(reshape(take(both, 0, chosen), shape), call.kind(1));
}

}  // namespace

std::span<const Op> selection_ops() {
  static constexpr Op ops[] = {
      {"Gather", 1, 2, 2, 1, "axis ", 0b1, gather, 0b11},
      {"GatherElements", 11, 2, 2, 1, "axis ", 0, gather_elements, 0b11},
      {"Where", 9, 3, 3, 1, "", 0, where, 0b110},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
