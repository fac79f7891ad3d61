#pragma once

#include "cornu/layers/any_layer.h"

namespace cornu {

/// Applies a layer to each time step, all with the same weights: y[b, t] = layer(x[b, t]). For layers on images or
/// vectors, such as `TimeDistributed{Sequential{Conv2D{8, 3}, Flatten{}}}` over the frames of a film; Dense,
/// activations and normalizations of the last axis act on each step by themselves. The layer sees one batch of batch x
/// steps rows: BatchNormalization computes its statistics over all of them (Keras 3: over each step by itself). Input:
/// (batch, steps, ...). Output: (batch, steps, output of the layer...). build throws ShapeError for samples that are
/// not (steps, ...), and what the layer's build throws.
struct TimeDistributed {
  AnyLayer layer;

  void options(auto& visit) { visit("layer", layer); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedLayers layers();
};

}  // namespace cornu
