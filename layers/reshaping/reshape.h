#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "cornu/layers/layer.h"

namespace cornu {

/// Gives each sample another shape, keeping the order of its elements: `Reshape{7, 7, 16}`. One dimension may be -1; it
/// is computed from the others. Input: (batch, ...). Output: (batch, target...).
/// Throws ValueError for an invalid target, ShapeError for a sample with another number of elements, naming both
/// shapes.
struct Reshape {
  std::vector<Index> target;  ///< without the batch axis

  Reshape(std::initializer_list<Index> dimensions) : target(dimensions) {}
  explicit Reshape(const Shape& shape) : target(shape.dimensions().begin(), shape.dimensions().end()) {}

  void options(auto& visit) { visit("target_shape", target); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
};

}  // namespace cornu
