#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "cornu/layers/layer.h"

namespace cornu {

/// The numbers of every sample under another shape, in the same order: `Reshape{7, 7, 16}`. One dimension may be -1:
/// what is left for it. Input: (batch, ...). Output: (batch, target...).
/// Throws ValueError for a target that no sample could have, ShapeError for a sample that has other than as many
/// numbers, naming both shapes.
struct Reshape {
  std::vector<Index> target;  ///< without the batch

  Reshape(std::initializer_list<Index> dimensions) : target(dimensions) {}
  explicit Reshape(const Shape& shape) : target(shape.dimensions().begin(), shape.dimensions().end()) {}

  void options(auto& visit) { visit("target_shape", target); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
};

}  // namespace cornu
