#include "cornu/datasets/pad_sequences.h"

#include <algorithm>

#include "cornu/core/error.h"

namespace cornu {

namespace {

/// The shape of a step, which all sequences share but for those of shape (0).
Shape step_of(std::span<const Tensor> sequences) {
  std::optional<Shape> step;
  Index number = 0, first = 0;
  for (const Tensor& each : sequences) {
    require(each.rank() > 0,
            "pad_sequences: sequence {} is a scalar; (steps) or (steps, features...) is required for each", number);
    if (each.shape() != Shape{0}) {
      if (!step) first = number;
      step = step.value_or(each.shape().sub(1));
      require(each.shape().sub(1) == *step,
              "pad_sequences: sequence {} is {} and sequence {} is {}; their shapes must be equal except for the steps",
              first, sequences[static_cast<std::size_t>(first)].shape(), number, each.shape());
    }
    ++number;
  }
  return step.value_or(Shape{});
}

}  // namespace

Tensor pad_sequences(std::span<const Tensor> sequences, const PadOptions& options) {
  require<ValueError>(!sequences.empty(), "pad_sequences: there are no sequences; at least one is required");
  const Shape step = step_of(sequences);
  Index steps = options.maxlen.value_or(0);
  require<ValueError>(!options.maxlen || steps >= 1, "pad_sequences: maxlen is {}; it must be at least 1", steps);
  if (!options.maxlen) {
    for (const Tensor& each : sequences) steps = std::max(steps, each.shape()[0]);
    require<ValueError>(steps > 0, "pad_sequences: all sequences are empty; .maxlen is required");
  }

  const Index width = step.size();
  Tensor result(step.batched(steps).batched(std::ssize(sequences)));
  result.fill(static_cast<Real>(options.value));
  Real* row = result.data();
  for (const Tensor& each : sequences) {
    const Index length = each.shape()[0], count = std::min(length, steps);
    const Index from = options.truncating == SequenceSide::pre ? length - count : 0,
                to = options.padding == SequenceSide::pre ? steps - count : 0;
    if (count > 0) std::copy_n(each.data() + from * width, count * width, row + to * width);
    row += steps * width;
  }
  return result;
}

}  // namespace cornu
