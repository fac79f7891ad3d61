#include "cornu/models/trace.h"

#include "cornu/models/sequential_state.h"

namespace cornu {

namespace {

/// Gives each op of a recording the path of its layer.
class LayerPath final : public detail::LayerObserver {
 public:
  explicit LayerPath(Tape& tape) : recording_(*tape.recording()) { tape.observe_layers(this); }

  void before(const AnyLayer& layer, std::span<const Var>) override {
    outer_.push_back(recording_.layer);
    if (!recording_.layer.empty() && !layer.name().empty()) recording_.layer += '/';
    recording_.layer += layer.name();
  }
  void after(const AnyLayer&, Var) override {
    recording_.layer = std::move(outer_.back());
    outer_.pop_back();
  }

 private:
  detail::Recording& recording_;
  std::vector<std::string> outer_;
};

}  // namespace

Trace trace(const Sequential& model) {
  const detail::SequentialState& state = detail::SequentialState::of(model);
  state.require_built();
  const std::vector<Shape> samples = state.input_parts.empty() ? std::vector{state.shapes.front()} : state.input_parts;
  const TracedFunction forward = [&](Tape& tape, std::span<const Var> inputs) {
    const LayerPath path(tape);
    return std::vector{state.forward_several(inputs)};
  };
  return trace(forward, samples, model.parameters());
}

}  // namespace cornu
