#pragma once

#include "cornu/layers/layer.h"

namespace cornu {

/// The maximum of each feature over all steps; NaN if any element is NaN. Equal maxima share the gradient.
/// Input: (batch, steps, features). Output: (batch, features), or (batch, 1, features) with `keepdims`.
/// Throws ShapeError for samples that are not (steps, features) or have no steps.
struct GlobalMaxPooling1D {
  static constexpr LayerTraits traits{.pytorch_sequences = SequenceOrder::channels_first};

  bool keepdims = false;

  void options(auto& visit) { visit("keepdims", keepdims); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  Index pytorch_modules() const { return keepdims ? 1 : 2; }  // AdaptiveMaxPool1d, and Flatten
};

}  // namespace cornu
