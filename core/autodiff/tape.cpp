#include "cornu/core/autodiff/tape.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "cornu/core/autodiff/trace.h"
#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"

namespace cornu {

using detail::Node;

void Tape::clear() {
  pass_ = (pass_ + 1) & pass_mask;
  node_count_ = 0;
  parameters_.clear();
  updates_.clear();
  losses_.clear();
  has_gone_backward_ = mixes_samples_ = parameters_changed_ = false;
  layer_observer_ = nullptr;
  recording_ = nullptr;
  arena_.clear();  // last, because it may throw
}

void Tape::require_own(Var value, const char* what) const {
  require<StateError>(&value.tape() == this, "{}: this value is on another tape", what);
}

Node& Tape::new_node(const Shape& shape, const Real* value, bool wants_gradient) {
  if (node_count_ == blocks_.size() * block_size) blocks_.push_back(std::make_unique<Node[]>(block_size));
  Node& node = node_at(node_count_++);
  // Constructed in place: assigning a temporary would read it right after writing it, which stalls.
  return *new (&node) Node{
      .tape = this, .shape = shape, .value = value, .wants_gradient = wants_gradient && training(), .owner = &node};
}

View Tape::scratch(const Shape& shape) {
  return {static_cast<Real*>(arena_.allocate(static_cast<std::size_t>(shape.size()) * sizeof(Real))), shape};
}

Var Tape::input(ConstView x) { return var(new_node(x.shape(), x.data(), false)); }

Var Tape::samples(ConstView x) {
  require(x.shape().rank() > 0, "Tape::samples: a scalar has no batch axis");
  Node& node = new_node(x.shape(), x.data(), false);
  node.of_samples = true;
  samples_ = x.shape()[0];
  return var(node);
}

void Tape::follow_samples(Node& node, bool keeps_rows) {
  node.of_samples = keeps_rows;
  mixes_samples_ = mixes_samples_ || !keeps_rows;
}

Var Tape::variable(ConstView x) { return var(new_node(x.shape(), x.data(), true)); }

Var Tape::constant(ConstView x) {
  const View kept = scratch(x.shape());
  copy(x, overwrite(kept));
  return input(kept);
}

Var Tape::constant(Real x) { return constant(ConstView(&x, {})); }

Var Tape::parameter(const Parameter& parameter) {
  for (Node* known : parameters_) {
    if (known->parameter == &parameter) return var(*known);
  }
  Node& node = new_node(parameter.shape(), parameter.value.data(), parameter.learns());
  node.parameter = &parameter;
  parameters_.push_back(&node);
  return var(node);
}

Var Tape::output(const Shape& shape, std::span<const Var> operands, OpDescription&& op) {
  bool wants_gradient = false, of_samples = false, keeps_rows = false, is_masked = false;
  for (const Var operand : operands) {
    require<StateError>(&operand.tape() == this,
                        "an op was given values of two tapes; all operands must be on the same tape");
    wants_gradient = wants_gradient || operand.wants_gradient();
    is_masked = is_masked || operand.is_masked();
    if (!operand.node().of_samples) continue;
    of_samples = true;
    keeps_rows = keeps_rows || (shape.rank() > 0 && shape[0] == operand.shape()[0]);
  }
  Node& node = new_node(shape, scratch(shape).data(), wants_gradient);
  node.has_lost_mask = is_masked;  // until the op passes it on
  if (of_samples) follow_samples(node, keeps_rows);
  if (recording_ != nullptr) [[unlikely]]
    recording_->add(node, op, operands);
  return var(node);
}

bool Tape::has_dropped_mask(std::size_t since) {
  for (std::size_t i = since; i < node_count_; ++i) {
    if (node_at(i).has_lost_mask) return true;
  }
  return false;
}

Var Tape::alias(Var x, const Shape& shape) {
  const bool has_axes = shape.rank() > 0 && x.rank() > 0;
  return alias(x, shape, has_axes && (shape[0] == samples_ || shape[0] == x.shape()[0]));
}

Var Tape::alias_of_rows(Var x, const Shape& shape) { return alias(x, shape, true); }

Var Tape::alias(Var x, const Shape& shape, bool keeps_rows) {
  require(shape.size() == x.size(), "reshape: {} has {} elements, {} has {}", x.shape(), x.size(), shape, shape.size());
  require_own(x, "alias");
  Node& original = x.node();
  Node& node = new_node(shape, original.value, original.wants_gradient);
  node.owner = original.owner;
  if (original.of_samples) follow_samples(node, keeps_rows);
  const Var result = var(node);
  node.has_lost_mask = x.is_masked();
  // With two axes, the second may count features that only happen to be as many as the steps.
  if (shape.rank() > 2 || x.rank() == 2) result.masked_as(x);
  if (recording_ != nullptr) [[unlikely]]
    recording_->add(node, "reshape", {&x, 1});
  return result;
}

/// True if an optimizer step may change this factor of a product, because it shares memory with a parameter.
bool Tape::may_change(const MatrixView& factor) const {
  if (factor.rows == 0 || factor.columns == 0 || arena_.owns(factor.data)) return false;
  const Real* const end = factor.data + (factor.rows - 1) * factor.stride + factor.columns;
  const auto overlaps = [=, before = std::less<>()](const Real* value, Index size) {
    return before(factor.data, value + size) && before(value, end);
  };
  return std::any_of(parameters_.begin(), parameters_.end(),
                     [&](const Node* node) { return overlaps(node->value, node->shape.size()); }) ||
         std::any_of(stepped_.begin(), stepped_.end(), [&](const Parameter* parameter) {
           return overlaps(parameter->value.data(), parameter->value.size());
         });
}

void Tape::record_update(const Parameter& parameter, Var value) {
  require_own(value, "record_update");
  require(value.shape() == parameter.shape(), "record_update: a value of shape {} for a parameter of shape {}",
          value.shape(), parameter.shape());
  if (!training() || parameter.frozen) return;
  ConstView kept = value.value();
  if (!arena_.owns(kept.data())) {  // possibly the memory of a parameter, which the step changes
    const View copied = scratch(kept.shape());
    copy(kept, overwrite(copied));
    kept = copied;
  }
  for (Gradients::Update& update : updates_) {
    if (update.parameter == &parameter) {
      update.value = kept;
      return;
    }
  }
  updates_.push_back({&parameter, kept});
}

Gradients Tape::backward(Var loss, const BackwardOptions& options) {
  require(loss.size() == 1, "backward: the loss must have one element, but its shape is {}", loss.shape());
  defers_products_ = options.defer_products;
  stepped_ = options.parameters;
  return walk_backward(loss, ConstView(&options.gradient, loss.shape()), options.listener);
}

Gradients Tape::backward(Var value, ConstView gradient) {
  defers_products_ = false;
  return walk_backward(value, gradient);
}

namespace {

bool has_gradient(const Node& parameter) { return parameter.has_gradient || parameter.first_product != nullptr; }

}  // namespace

/// The gradient of a parameter, which has one.
Gradients::Entry Tape::entry_of(Node& parameter) {
  if (parameter.gradient == nullptr) parameter.gradient = scratch(parameter.shape).data();
  return {parameter.parameter, View(parameter.gradient, parameter.shape), parameter.first_product,
          parameter.has_gradient};
}

Gradients Tape::walk_backward(Var value, ConstView gradient, GradientListener* listener) {
  require_own(value, "backward");
  require<StateError>(training(), "backward: this tape is in inference mode, which records no backward rules");
  require<StateError>(!parameters_changed_,
                      "backward: minimize has changed the parameters since this pass read them; call backward for all "
                      "losses before the step, or clear the tape and run the forward pass again");
  require(gradient.shape() == value.shape(), "backward: a gradient of shape {} for a value of shape {}",
          gradient.shape(), value.shape());
  if (has_gone_backward_) {
    for (std::size_t i = 0; i < node_count_; ++i) node_at(i).has_gradient = false;
    for (Node* node : parameters_) node->first_product = nullptr;
  }
  has_gone_backward_ = true;

  if (const Sink start = value.sink()) copy(gradient, start);
  for (std::size_t i = node_count_; i-- > 0;) {
    Node& node = node_at(i);
    if (node.has_gradient && node.rule != nullptr) node.rule(node.captured);
    // All that read a parameter come after it.
    if (listener != nullptr && node.parameter != nullptr && has_gradient(node)) listener->ready(entry_of(node));
  }

  // In the arena, so that later ops and backward passes do not change them.
  auto* const entries = static_cast<Gradients::Entry*>(allocate(parameters_.size() * sizeof(Gradients::Entry)));
  std::size_t count = 0;
  for (Node* node : parameters_) {
    if (has_gradient(*node)) new (entries + count++) Gradients::Entry(entry_of(*node));
  }
  auto* const updates = static_cast<Gradients::Update*>(allocate(updates_.size() * sizeof(Gradients::Update)));
  std::uninitialized_copy(updates_.begin(), updates_.end(), updates);
  return Gradients({entries, count}, {updates, updates_.size()});
}

}  // namespace cornu
