#pragma once

#include <initializer_list>
#include <optional>

#include "cornu/layers/layer.h"

namespace cornu {

/// Declares the shape of a sample, without the batch axis: `Input{28, 28}`. A model that begins with it is built
/// immediately. -1 is an axis of any length, as None in Keras: `Input{-1, 8}` takes sequences of 8 features, and each
/// batch may have another number of steps. The layers must have the same parameters for every length.
/// As a layer it is the identity. Throws ShapeError for samples of another shape, naming both.
struct Input {
  Shape shape;  ///< 0 for an axis of any length

  Input(std::initializer_list<Index> dimensions);
  explicit Input(const Shape& sample) : shape(sample) {}

  void options(auto& visit) { visit("shape", shape); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  std::optional<Shape> input_shape() const { return shape; }
};

}  // namespace cornu
