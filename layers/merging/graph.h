#pragma once

#include <array>
#include <concepts>
#include <span>
#include <string_view>
#include <vector>

#include "cornu/layers/any_layer.h"

namespace cornu {

/// Layers and how they are connected, as data: what a functional model of Keras becomes when it is read from a file. To
/// write such a network in C++, write a struct that calls its layers (docs/extending.md).
/// Values are numbered: first the inputs, then the results of the calls, in order. Each call reads earlier values.
/// Returns the last call's result, or the value that `outputs` names. Several outputs are packed into one row per
/// sample, as several inputs are (layers/inputs.h): first all elements of the first, and so on.
/// Throws ValueError for a value, layer or number of inputs that does not exist. forward throws ShapeError for another
/// number of inputs, and for values that cannot be merged.
class Graph {
 public:
  /// How a call joins its inputs if it does not call a layer.
  enum class Merge { none, add, subtract, multiply, average, maximum, minimum, concatenate };

  struct Call {
    Index layer = -1;  ///< position in `layers`; -1 to merge the inputs instead
    std::vector<Index> inputs{};
    Merge merge = Merge::none;
    Index axis = -1;  ///< of concatenate. As in Keras, the batch axis counts

    void options(auto& visit) {
      visit("layer", layer);
      visit("inputs", inputs);
      visit("merge", merge);
      visit("axis", axis);
    }
  };

  /// The identity of one input.
  Graph() = default;
  /// The layers must have names. Layers that no call names are an error when the graph is built.
  Graph(Index inputs, std::vector<AnyLayer> layers, std::vector<Call> calls, std::vector<Index> outputs);

  template <std::same_as<Var>... Vars>
  requires(sizeof...(Vars) > 0) Var forward(Vars... x)
  const { return run(std::array<Var, sizeof...(Vars)>{x...}); }

  NamedLayers layers();
  const std::vector<Call>& calls() const { return calls_; }
  void options(auto& visit) {
    visit("inputs", inputs_);
    visit("layers", layers_);
    visit("calls", calls_);
    visit("outputs", outputs_);
    if (visit.reading()) check();
  }

 private:
  void check() const;
  Var run(std::span<const Var> inputs) const;

  Index inputs_ = 1;
  std::vector<AnyLayer> layers_;
  std::vector<Call> calls_;
  std::vector<Index> outputs_{0};
};

constexpr std::array<std::string_view, 8> option_names(Graph::Merge) {
  return {"none", "add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate"};
}

}  // namespace cornu
