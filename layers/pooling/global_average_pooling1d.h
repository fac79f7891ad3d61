#pragma once

#include "cornu/layers/layer.h"

namespace cornu {

/// The mean of each feature over all steps.
/// Input: (batch, steps, features). Output: (batch, features), or (batch, 1, features) with `keepdims`.
/// Throws ShapeError for samples that are not (steps, features) or have no steps.
struct GlobalAveragePooling1D {
  static constexpr LayerTraits traits{.pytorch_sequences = SequenceOrder::channels_first};

  bool keepdims = false;

  void options(auto& visit) { visit("keepdims", keepdims); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  Index pytorch_modules() const { return keepdims ? 1 : 2; }  // AdaptiveAvgPool1d, and Flatten
};

}  // namespace cornu
