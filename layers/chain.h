#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/layers/layer.h"

namespace cornu::detail {

/// Layers one after the other, each under a name of its own: what Sequential, Residual and Concatenate are made of.
struct Chain {
  std::string name;                     // what errors of the chain itself begin with
  std::optional<Shape> declared_input;  // by an Input or Inputs at the front
  std::vector<Shape> input_parts;       // by Inputs: what the declared input is packed of
  std::vector<AnyLayer> layers;
  std::vector<Shape> shapes;  // the input's, then each layer's output's, without the batch; empty until built

  /// Puts a layer at the end, under a name that none of `others` has either; but an Input or Inputs at the front only
  /// says what comes in. Throws ValueError for a name that is taken.
  void insert(AnyLayer layer, const NamedLayers& others = {});

  /// Builds layer i of `built`, to follow those before it. `made`: the shape of the input, then of what each of these
  /// makes. If a recurrent layer has dropped the steps that layer i needs, the error names it.
  static Shape build_next(std::span<AnyLayer> built, std::size_t i, std::span<const Shape> made, Rng& rng);
  /// As of a layer; each layer draws from a generator of its own, or keeps its weights if it is built. If one refuses,
  /// all are what they were.
  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedLayers named_layers();
  NamedParameters parameters() { return parameters_of(named_layers()); }
  std::optional<Shape> input_shape() const;
  void options(auto& visit) { visit("layers", layers); }

  void require_built() const;
  /// By position, from the end where negative; by name, or by path, where it is inside another: "encoder/dense".
  /// Throw ValueError if there is no such layer, or if several have this path.
  std::size_t position(Index index) const;
  AnyLayer& find(std::string_view path);

 private:
  std::optional<Shape> known_input() const;
};

}  // namespace cornu::detail
