#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "cornu/core/arena.h"
#include "cornu/core/gradients.h"
#include "cornu/core/parameter.h"
#include "cornu/core/random.h"
#include "cornu/core/var.h"

namespace cornu {

namespace detail {
class LayerObserver;  // layers/layer.h
}

enum class Mode { training, inference };

struct BackwardOptions {
  Real gradient = 1;  ///< of some later loss with respect to this one
  /// Leaves the products that rules add to parameters' gradients to whoever takes the gradients: an optimizer that
  /// computes them straight into the parameter saves a round trip through memory. Products that read a parameter of
  /// this tape, or one of `parameters`, are never put off: the step would change their factors.
  bool defer_products = false;
  /// What the step changes besides the parameters that this pass reads: another shard's, say.
  std::span<Parameter* const> parameters{};
};

/// One pass through a model: values in the order in which they were made, each with the rule that takes a gradient
/// back. Everything lives in an arena that is reused by the next pass: a warm pass asks the heap for nothing. One tape
/// is for one thread; many tapes may read the same parameters at once.
class Tape {
 public:
  /// In `training` mode gradients are recorded and layers such as Dropout are active. `seed` is for what they draw.
  explicit Tape(Mode mode = Mode::training, std::uint64_t seed = 0) : mode_(mode), rng_(seed) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape() = default;

  Mode mode() const { return mode_; }
  bool training() const { return mode_ == Mode::training; }
  /// What random layers draw from. Assign to it to name the stream of a pass: `tape.rng() = Rng(seed, step)`.
  Rng& rng() { return rng_; }

  /// Ends the pass: every Var, gradient and view of it is invalid from here on.
  void clear();

  /// Data, read where it is: it must outlive the pass. No gradient.
  Var input(ConstView x);
  Var input(Tensor&&) = delete;
  /// The same where the first axis counts samples, which are followed: see mixes_samples.
  Var samples(ConstView x);
  Var samples(Tensor&&) = delete;
  /// The same with a gradient: what gradient checks and adversarial examples differentiate by.
  Var variable(ConstView x);
  Var variable(Tensor&&) = delete;
  /// A copy, kept by the tape. No gradient.
  Var constant(ConstView x);
  Var constant(Real x);
  /// A parameter, read where it is, with a gradient if it learns. Reading it twice gives the same Var.
  Var parameter(const Parameter& parameter);
  Var parameter(Parameter&&) = delete;

  /// For ops: a new value made of `operands`, its memory not yet written. Throws StateError for operands of other
  /// tapes.
  Var output(const Shape& shape, std::initializer_list<Var> operands) {
    return output(shape, std::span<const Var>(operands.begin(), operands.size()));
  }
  Var output(const Shape& shape, std::span<const Var> operands);
  /// For ops: x under another shape of the same size, sharing its memory and its gradient. Throws ShapeError for
  /// another size.
  Var alias(Var x, const Shape& shape);
  /// For ops: memory until the tape is cleared. Not initialised.
  View scratch(const Shape& shape);
  void* allocate(std::size_t bytes) { return arena_.allocate(bytes); }
  /// For kernels that allocate such memory themselves.
  Arena& arena() { return arena_; }

  /// When the optimizer steps, `parameter` takes the value that `value` has now. For moving averages and the like:
  /// `forward` itself changes nothing. Of several updates of one parameter the last counts. Does nothing in inference
  /// mode, nor to a frozen parameter. Throws ShapeError if the shapes differ.
  void record_update(const Parameter& parameter, Var value);

  /// Whether what `samples` began with has been made into something whose first axis does not count the samples any
  /// more, or samples have met in an op: then the pass over a batch is not the sum of passes over its parts.
  bool mixes_samples() const { return mixes_samples_; }
  void set_mixes_samples(bool mixes) { mixes_samples_ = mixes; }

  /// Walks the pass backwards from `loss`, one number. Throws ShapeError for any other size, StateError in inference
  /// mode.
  Gradients backward(Var loss, const BackwardOptions& options = {});
  /// The same from a value of any shape, given the gradient of some later loss with respect to it.
  Gradients backward(Var value, ConstView gradient);
  /// For optimizers: the parameters are not those of this pass any more, so backward throws StateError until clear.
  void parameters_changed() { parameters_changed_ = true; }

  /// For layers: a scalar that is to be added to the loss of this pass by whoever makes one, as in Keras: a penalty on
  /// what the layer makes. Of a batch that is gone through in parts it must be the mean over the samples.
  void add_loss(Var loss) { losses_.push_back(loss); }
  std::span<const Var> losses() const { return losses_; }

  /// For layers: who is to be told of those that this pass goes through, until the tape is cleared.
  void observe_layers(detail::LayerObserver* observer) { layer_observer_ = observer; }
  detail::LayerObserver* layer_observer() const { return layer_observer_; }

  /// The memory kept for passes, in bytes.
  std::size_t capacity() const { return arena_.capacity(); }

 private:
  friend class Var;
  static constexpr std::size_t block_size = 64;
  static constexpr std::uintptr_t pass_mask = alignment - 1;

  void require_own(Var value, const char* what) const;
  bool may_change(const MatrixView& factor) const;
  Gradients walk_backward(Var value, ConstView gradient);
  void follow_samples(detail::Node& node, bool of_samples);
  detail::Node& new_node(const Shape& shape, const Real* value, bool wants_gradient);
  detail::Node& node_at(std::size_t i) { return blocks_[i / block_size][i % block_size]; }
  Var var(detail::Node& node) { return {&node, pass_}; }

  Mode mode_;
  Rng rng_;
  std::uintptr_t pass_ = 1;  // modulo 64
  Arena arena_;
  std::vector<std::unique_ptr<detail::Node[]>> blocks_;
  std::size_t node_count_ = 0;
  bool has_gone_backward_ = false;
  bool parameters_changed_ = false;
  bool defers_products_ = false;
  std::span<Parameter* const> stepped_;  // BackwardOptions::parameters of the walk
  bool mixes_samples_ = false;
  Index samples_ = 0;
  std::vector<detail::Node*> parameters_;
  std::vector<Gradients::Update> updates_;
  std::vector<Var> losses_;
  detail::LayerObserver* layer_observer_ = nullptr;
};

template <BackwardRule F>
Var Var::backward(const F& rule) const {
  detail::Node& self = node();
  if (self.wants_gradient) {
    self.captured = new (self.tape->arena_.allocate(sizeof(F))) F(rule);
    self.rule = [](const void* captured) { (*static_cast<const F*>(captured))(); };
  }
  return *this;
}

}  // namespace cornu
