#pragma once

#include <array>
#include <string_view>

#include "cornu/layers/any_layer.h"

namespace cornu {

/// How Bidirectional merges the outputs of its two layers: side by side, or by their sum, product or mean.
enum class MergeMode { concat, sum, mul, ave };
constexpr std::array<std::string_view, 4> option_names(MergeMode) { return {"concat", "sum", "mul", "ave"}; }

/// The states of both layers of a Bidirectional between two steps. Keras lists them as [forward..., backward...].
struct BidirectionalState {
  RecurrentState forward{}, backward{};
};

/// What Bidirectional returns from initial states. `forward` and `backward`: the outputs of its two layers, before they
/// are merged into y. `state`: of each layer after the last step that it has processed, which is the first step of the
/// sequence for the backward layer.
struct BidirectionalOutput {
  Var y, forward, backward;
  BidirectionalState state;
};

/// Processes a sequence in both directions (Schuster and Paliwal, 1997): `Bidirectional{LSTM{.units = 8}}` returns 16
/// features. With `return_sequences` each output of the second layer is merged with that of the first for the same
/// step. The layer may be of any type with an option `bool go_backwards`, also your own, that takes samples (steps,
/// ...) and returns either sequences of that rank or only the last state. The backward layer is a copy of it with the
/// other `go_backwards` and new weights, or `backward_layer`. The two are named forward_lstm and backward_lstm, as in
/// Keras. Throws ValueError for a layer without this option, or two that process the same step first; build throws
/// ShapeError for outputs that cannot be merged.
class Bidirectional {
 public:
  static constexpr LayerTraits traits{.pytorch_is_one_module = true};

  explicit Bidirectional(const AnyLayer& layer, MergeMode merge_mode = MergeMode::concat);
  explicit Bidirectional(AnyLayer layer, AnyLayer backward_layer, MergeMode merge_mode = MergeMode::concat);

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  /// The same from initial states, `{}` for zeros; also returns the last states and both outputs, as Keras with
  /// `initial_state`, `return_state` and `merge_mode=None`. With `return_sequences`, `backward` is in the order of
  /// `forward`, that of time. For a layer of your own: const auto both = encoder.forward(x, {}).
  /// Throws ValueError for a layer without RecurrentOutput forward(Var x, const RecurrentState& initial) const, and
  /// what the layers throw for their states.
  BidirectionalOutput forward(Var x, const BidirectionalState& initial) const;
  NamedLayers layers() { return {{forward_.name(), &forward_}, {backward_.name(), &backward_}}; }
  void pytorch(PyTorchModule& module);

  void options(auto& visit) {
    visit("layer", forward_);
    visit("merge_mode", merge_mode_);
    visit("backward_layer", backward_);
  }

 private:
  Var merged(Var one, Var other) const;

  AnyLayer forward_, backward_;
  MergeMode merge_mode_;
};

}  // namespace cornu
