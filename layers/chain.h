#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/layers/any_layer.h"

namespace cornu::detail {

/// A sequence of layers with unique names; the basis of Sequential, Residual and Concatenate.
struct Chain {
  std::string name;                     // prefix of the chain's error messages
  std::optional<Shape> declared_input;  // from an Input or Inputs at the front; 0 is an axis of any length
  std::vector<Shape> input_parts;       // from Inputs: the shapes that a packed input consists of
  std::vector<AnyLayer> layers;
  std::optional<Shape> first_input;  // of the first layer, if it was known when the layer was inserted
  std::vector<Shape> shapes;  // of the input and of each layer's output, without the batch axis; empty until built
  // The same of a build with other lengths. Axes in which the two differ may have any length. Empty if there is none.
  std::vector<Shape> other_shapes;

  /// Appends a layer. A layer without a name gets one that neither the chain nor `others` uses. An Input or Inputs at
  /// the front is not stored as a layer; it only declares the input shape. Throws ValueError for a name already in use.
  void insert(AnyLayer layer, const NamedLayers& others = {});

  /// Builds built[i]. `made` holds the shapes of the input and of the outputs of the layers before it. If layer i needs
  /// time steps that an earlier recurrent layer dropped, the error names that recurrent layer.
  static Shape build_next(std::span<AnyLayer> built, std::size_t i, std::span<const Shape> made, Rng& rng);
  /// Like a layer's build. Each layer draws from a separate generator; a layer that is already built keeps its weights.
  /// If one layer throws, no layer is changed. An axis of `input` that is 0 may have any length: the chain is built
  /// with two lengths, for which all parameters must have the same shapes. A chain without an Input also takes any
  /// length along an axis if it was built with two, because its owner is built so.
  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  /// The same with a value for each of `input_parts`, not packed, or with one input.
  Var forward_several(std::span<const Var> inputs) const;
  /// The sample shape before layer `i`, or after the last one, with 0 for an axis of any length.
  Shape pattern(std::size_t i) const;
  bool fits(std::size_t i, const Shape& batch) const;
  bool takes_any_length() const { return !other_shapes.empty() && other_shapes.front() != shapes.front(); }
  NamedLayers named_layers();
  NamedParameters parameters() { return parameters_of(named_layers()); }
  std::optional<Shape> input_shape() const;
  void options(auto& visit) { visit("layers", layers); }

  void require_built() const;
  /// `position`: a negative index counts from the end. `find`: by name, or by path for a nested layer, "encoder/dense".
  /// Both throw ValueError if there is no such layer; `find` also if several layers have this path.
  std::size_t position(Index index) const;
  AnyLayer& find(std::string_view path);

 private:
  std::optional<Shape> known_input() const;
  std::vector<Shape> build_layers(std::span<AnyLayer> built, const Shape& input, Rng& rng) const;
  std::string unfitting(const Shape& batch) const;
  Shape build_any_length(const Shape& input, Rng& rng);
};

}  // namespace cornu::detail
