#pragma once

#include "cornu/layers/layer.h"

namespace cornu {

/// The maximum of each channel over the whole image; NaN if any element is NaN. Equal maxima share the gradient.
/// Input: (batch, height, width, channels). Output: (batch, channels), or (batch, 1, 1, channels) with `keepdims`.
/// Throws ShapeError for samples that are not (height, width, channels) or have no pixels.
struct GlobalMaxPooling2D {
  bool keepdims = false;

  void options(auto& visit) { visit("keepdims", keepdims); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  Index pytorch_modules() const { return keepdims ? 1 : 2; }  // AdaptiveMaxPool2d, and Flatten
};

}  // namespace cornu
