#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include "cornu/layers/layer.h"

namespace cornu {

/// The samples of a model with several inputs, without the batch: `Sequential model{Inputs{{28, 28}, {4}}, Net{}}`,
/// where Net has `Var forward(Var image, Var numbers) const`. A sample comes packed: the numbers of all inputs in one
/// row, those of the first input first, here (784 + 4). Elsewhere than at the front it is a layer that changes nothing.
/// Throws ValueError for no inputs, or more than eight; ShapeError for samples of another shape.
struct Inputs {
  std::vector<Shape> shapes;

  Inputs(std::initializer_list<Shape> samples) : Inputs(std::vector<Shape>(samples)) {}
  explicit Inputs(std::vector<Shape> samples);

  /// The shape of a packed sample. Throws as the constructor does, as shapes may have changed.
  Shape packed() const;

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  std::optional<Shape> input_shape() const { return packed(); }
  void options(auto& visit) { visit("shapes", shapes); }
};

/// Tensors of the same samples, packed as a model with these inputs takes them: `model.predict(pack({images,
/// numbers}))`. Each is (samples, ...); returns (samples, numbers of all). Throws ShapeError if they have not equally
/// many samples.
Tensor pack(std::initializer_list<ConstView> inputs);

}  // namespace cornu
