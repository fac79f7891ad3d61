#pragma once

#include "cornu/layers/layer.h"
#include "cornu/layers/pooling/pooling.h"

namespace cornu {

/// The maximum of each window of steps per feature; NaN if any element is NaN. Of equal maxima, the first gets the
/// gradient. With Padding::causal, for streams, a window depends only on the same and earlier steps; Keras has no such
/// option.
/// Input: (batch, steps, features). Output: (batch, new steps, features).
/// Throws ValueError for sizes below 1, ShapeError for samples that are not (steps, features) or have too few steps for
/// the window.
struct MaxPooling1D {
  static constexpr LayerTraits traits{.pytorch_sequences = SequenceOrder::channels_first};

  Index pool_size = 2;
  Index strides = 0;  ///< 0: pool_size
  Padding padding = Padding::valid;

  void options(auto& visit) { detail::visit_pooling_options(*this, visit); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
};

}  // namespace cornu
