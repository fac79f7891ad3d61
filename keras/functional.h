#pragma once

#include <optional>
#include <vector>

#include "cornu/core/options/json.h"
#include "cornu/keras/lacks.h"
#include "cornu/layers/merging/graph.h"

namespace cornu::keras::detail {

/// A functional model: its layers in Keras's order, and their calls.
struct Functional {
  std::vector<std::optional<Shape>> inputs;  ///< of samples
  std::vector<AnyLayer> layers;
  std::vector<Graph::Call> calls;
  std::vector<Index> outputs;

  /// True if each layer is called once, in order, on the result of the one before.
  bool is_chain() const;
  Graph graph() && { return {std::ssize(inputs), std::move(layers), std::move(calls), std::move(outputs)}; }
};

/// The layers of a functional model. `json`: {"class_name": "Functional", "config": {...}}. Empty if Cornu lacks a
/// layer. Throws FormatError for connections that do not exist or form a circle.
std::optional<Functional> read_functional(const Json& json, Lacks& lacks);
/// The same as a layer of another model. Empty, with an entry in `lacks`, also for several outputs.
std::optional<AnyLayer> read_graph(const Json& json, Lacks& lacks);

}  // namespace cornu::keras::detail
