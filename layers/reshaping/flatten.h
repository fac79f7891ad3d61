#pragma once

#include <initializer_list>
#include <optional>

#include "cornu/layers/layer.h"

namespace cornu {

/// Flattens each sample to one row. Input: (batch, ...). Output: (batch, n).
/// `Flatten{28, 28}` also declares the sample shape, so a model can begin with it; it throws ShapeError for samples of
/// another shape, naming both. `Flatten{}` takes any shape.
struct Flatten {
  std::optional<Shape> shape;

  Flatten() = default;
  Flatten(std::initializer_list<Index> dimensions) : shape(dimensions) {}
  explicit Flatten(const Shape& sample) : shape(sample) {}

  void options(auto& visit) { visit("shape", shape); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  std::optional<Shape> input_shape() const { return shape; }
};

}  // namespace cornu
