#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include "cornu/layers/layer.h"

namespace cornu {

/// Declares the input shapes of a model with several inputs, without the batch axis:
/// `Sequential model{Inputs{{28, 28}, {4}}, Net{}}`, where Net has `Var forward(Var image, Var numbers) const`.
/// A sample is packed: the elements of all inputs in one row, in order, here (784 + 4). Behind other layers, Inputs
/// is the identity.
/// Throws ValueError for no inputs or more than eight, ShapeError for samples of another shape.
struct Inputs {
  std::vector<Shape> shapes;

  Inputs(std::initializer_list<Shape> samples) : Inputs(std::vector<Shape>(samples)) {}
  explicit Inputs(std::vector<Shape> samples);

  /// The shape of a packed sample. Throws like the constructor, because `shapes` may have changed since.
  Shape packed() const;

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  std::optional<Shape> input_shape() const { return packed(); }
  void options(auto& visit) { visit("shapes", shapes); }
};

/// Packs one tensor per input into the rows that a model with Inputs takes: `model.predict(pack({images, numbers}))`.
/// Each tensor is (samples, ...). Returns (samples, total elements of a sample). Throws ValueError for no tensors,
/// ShapeError if the numbers of samples differ.
Tensor pack(std::initializer_list<ConstView> inputs);

}  // namespace cornu
