#include "cornu/models/masked_steps.h"

#include <algorithm>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/ops/masks.h"
#include "cornu/core/ops/ops.h"

namespace cornu::detail {

namespace {

/// The rows of values (batch, steps, ...) at these positions of (batch steps). A value per sample, (batch), is that of
/// all its steps.
ConstView rows_of(Tape& tape, ConstView values, ConstView positions, Index steps) {
  const bool per_sample = values.shape().rank() == 1;
  const Shape row = values.shape().sub(per_sample ? 1 : 2);
  const View result = tape.scratch(row.batched(positions.size()));
  Real* to = result.data();
  for (const Real position : positions) {
    const Index i = per_sample ? static_cast<Index>(position) / steps : static_cast<Index>(position);
    to = std::copy_n(values.data() + i * row.size(), row.size(), to);
  }
  return result;
}

/// The same for a value on the tape, at least (rows, 1).
Var rows_of(Var x, Var positions) {
  const Index rows = x.shape()[0] * x.shape()[1];
  const Shape row = x.rank() > 2 ? x.shape().sub(2) : Shape{1};
  return take(reshape(with_mask(x, {}), row.batched(rows)), positions);
}

}  // namespace

CountedSteps::CountedSteps(Var predictions, ConstView targets, ConstView weights)
    : y_pred(predictions), y_true(targets), sample_weight(weights) {
  if (!predictions.is_masked()) return;
  const Var mask = predictions.mask();
  const Shape& of_steps = mask.shape();
  const auto has_steps = [&](const Shape& shape) { return shape.rank() >= 2 && shape.sub(0, 2) == of_steps; };
  require(has_steps(targets.shape()),
          "targets are {} and predictions {}; the predictions have a mask, so targets for "
          "each step, (batch, steps, ...), are required",
          targets.shape(), predictions.shape());
  if (weights.shape() == Shape{of_steps[0], 1}) weights = {weights.data(), {of_steps[0]}};
  const bool per_sample = weights.shape() == Shape{of_steps[0]};
  require(weights.size() == 0 || per_sample || has_steps(weights.shape()),
          "sample_weight is {}; a weight for each of {} samples, or for each of their {} steps, is required",
          weights.shape(), of_steps[0], of_steps[1]);

  constexpr double most = 1 / static_cast<double>(std::numeric_limits<Real>::epsilon());  // exact as a Real
  require(static_cast<double>(mask.size()) <= most, "a mask of {} steps; at most {} are possible", mask.size(), most);
  Tape& tape = predictions.tape();
  const View memory = tape.scratch({mask.size()});
  Index count = 0;
  for (Index i = 0; i < mask.size(); ++i) {
    if (mask.value()[i] != 0) memory[count++] = static_cast<Real>(i);
  }
  none = count == 0;
  const ConstView positions(memory.data(), {count});
  const Var rows = tape.input(positions);
  y_pred = rows_of(predictions, rows);
  if (const Var logits = predictions.softmax_logits()) y_pred.made_from_logits(rows_of(logits, rows), true);
  if (const Var logits = predictions.sigmoid_logits()) y_pred.made_from_logits(rows_of(logits, rows), false);
  y_true = rows_of(tape, targets, positions, of_steps[1]);
  if (targets.shape().rank() == 2 && predictions.rank() == 2) y_true = {y_true.data(), {count, 1}};
  if (weights.size() > 0) sample_weight = rows_of(tape, weights, positions, of_steps[1]);
}

}  // namespace cornu::detail
