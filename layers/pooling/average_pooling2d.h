#pragma once

#include "cornu/layers/layer.h"
#include "cornu/layers/pooling/pooling.h"

namespace cornu {

/// The mean of each window per channel, over the part of the window inside the image.
/// Input: (batch, height, width, channels). Output: (batch, rows, columns, channels).
/// Throws ValueError for sizes below 1 and Padding::causal, ShapeError for samples that are not (height, width,
/// channels) or are too small for the window.
struct AveragePooling2D {
  Size2D pool_size = 2;
  Size2D strides = 0;  ///< 0: pool_size
  Padding padding = Padding::valid;

  void options(auto& visit) { detail::visit_pooling_options(*this, visit); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
};

}  // namespace cornu
