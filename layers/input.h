#pragma once

#include <initializer_list>
#include <optional>

#include "cornu/layers/layer.h"

namespace cornu {

/// Declares the shape of a sample, without the batch axis: `Input{28, 28}`. A model that begins with it is built
/// immediately. As a layer it is the identity. Throws ShapeError for samples of another shape, naming both.
struct Input {
  Shape shape;

  Input(std::initializer_list<Index> dimensions) : shape(dimensions) {}
  explicit Input(const Shape& sample) : shape(sample) {}

  void options(auto& visit) { visit("shape", shape); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  std::optional<Shape> input_shape() const { return shape; }
};

}  // namespace cornu
