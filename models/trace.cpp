#include "cornu/models/trace.h"

#include "cornu/core/autodiff/rewrites.h"
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

/// The forward pass of a model, for traces.
struct Forward {
  const detail::SequentialState& state;

  explicit Forward(const Sequential& model) : state(detail::SequentialState::of(model)) { state.require_built(); }
  std::vector<Shape> samples() const {
    return state.input_parts.empty() ? std::vector{state.shapes.front()} : state.input_parts;
  }
  std::vector<Var> operator()(Tape& tape, std::span<const Var> inputs) const {
    const LayerPath path(tape);
    return {state.forward_several(inputs)};
  }
};

/// The layer of the op that made a value.
std::string layer_of(const detail::Recording& recording, Var value) {
  for (const detail::Recording::Entry& entry : recording.entries) {
    if (entry.result == &detail::Recording::node(value)) return entry.layer;
  }
  return "the model";
}

}  // namespace

Trace trace(const Sequential& model) {
  const Forward forward(model);
  return trace(forward, forward.samples(), model.parameters());
}

Trace detail::trace_of_sample(const Sequential& model, const std::function<bool(const Trace::Op&)>& keep) {
  Trace trace = cornu::trace(model);
  require<ValueError>(!trace.mixes_samples, "the result of a sample depends on the other samples of its batch");
  expand_composites(trace, keep);
  for (Trace::Op& op : trace.ops) {
    op.body.clear();  // what only they read is unused
    if (op.name != "repeat") continue;
    trace.values[op.result].data = trace.operand(op, 0).data;
    trace.values[op.result].owned = trace.operand(op, 0).owned;
  }
  return trace;
}

void detail::require_same_in_training(const Sequential& model) {
  const Forward forward(model);
  const auto alone = [&](Tape& tape, std::span<const Var> inputs) {
    std::vector<Var> outputs = forward(tape, inputs);
    for (const Var loss : tape.losses()) {
      throw ValueError(
          message("{}: it adds a loss of its own, such as an activity_regularizer", layer_of(*tape.recording(), loss)));
    }
    if (!tape.training()) return outputs;
    const Tensor none(outputs.front().shape());
    const Gradients gradients = tape.backward(outputs.front(), none);
    for (const auto& [name, parameter] : model.parameters()) {
      for (const Gradients::Update& update : gradients.updates()) {
        require<ValueError>(update.parameter != parameter, "{}: forward updates it in training", name);
      }
    }
    return outputs;
  };
  require_same_in_training(alone, forward.samples(), model.parameters());
}

}  // namespace cornu
