#pragma once

#include "cornu/layers/layer.h"

namespace cornu {

/// Marks the steps whose features all equal `mask_value` as padding. The output has their elements set to 0 and carries
/// a mask (core/ops/masks.h): recurrent layers keep their state at these steps, pooling over all steps, attention and
/// batch statistics leave them out, and so do the loss and the metrics if the model returns a sequence.
/// Input: (batch, steps, ...). Output: the same shape.
/// Throws ShapeError for samples without steps, ValueError for a mask_value that is not finite.
struct Masking {
  double mask_value = 0;

  void options(auto& visit) { visit("mask_value", mask_value); }

  Shape build(const Shape& input, Rng& rng) const;
  Var forward(Var x) const;
};

}  // namespace cornu
