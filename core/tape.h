#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <vector>

#include "cornu/core/arena.h"
#include "cornu/core/blas.h"
#include "cornu/core/parameter.h"
#include "cornu/core/random.h"
#include "cornu/core/sink.h"
#include "cornu/core/tensor.h"

namespace cornu {

class Tape;
class Var;

/// A contribution a b to a parameter's gradient that was put off: see Tape::backward.
struct PendingProduct {
  MatrixView a, b;
  PendingProduct* next = nullptr;
};

namespace detail {

class LayerObserver;  // layers/layer.h

/// What a tape knows of one value. Nodes stay where they are for the tape's whole life, one pass after another.
struct alignas(alignment) Node {
  Tape* tape = nullptr;
  Shape shape;
  const Real* value = nullptr;
  Real* gradient = nullptr;   // memory, once a sink was asked for
  bool has_gradient = false;  // a contribution has been made
  bool wants_gradient = false;
  Node* owner = nullptr;  // itself, or whose memory and gradient it shows in another shape
  const Parameter* parameter = nullptr;
  Node* logits = nullptr;  // what softmax or sigmoid made this of
  bool is_softmax = false;
  const char* squashed_by = nullptr;  // "softmax" or "sigmoid": which of them its values come from
  bool of_samples = false;            // its first axis counts the samples of the pass
  PendingProduct* first_product = nullptr;
  PendingProduct* last_product = nullptr;
  void (*rule)(const void*) = nullptr;
  const void* captured = nullptr;
};

}  // namespace detail

/// A backward rule: what it captures must need no destructor, because the arena that keeps it runs none.
template <class F>
concept BackwardRule =
    std::invocable<const F&> && std::is_trivially_destructible_v<F> && std::is_trivially_copyable_v<F>;

/// A value on a tape: what ops take and return. One word, passed by value, valid until its tape is cleared; using it
/// later throws StateError: the six spare bits of the pointer hold the number of the pass, so that of 64 later passes
/// one does not notice. The tape itself must still be there.
class Var {
 public:
  /// No value at all; every use throws StateError.
  Var() = default;

  Tape& tape() const { return *node().tape; }
  const Shape& shape() const { return node().shape; }
  Index rank() const { return node().shape.rank(); }
  Index size() const { return node().shape.size(); }
  ConstView value() const { return {node().value, node().shape}; }
  /// The number of a value that has just one. Throws ShapeError for any other size.
  Real item() const;

  /// For the op that makes this value: the memory to write it to.
  View out() const { return {const_cast<Real*>(node().value), node().shape}; }

  /// For the op that makes this value: how a gradient of it becomes gradients of the operands. Kept, and called by
  /// Tape::backward, only where a gradient is wanted. Returns this value.
  template <BackwardRule F>
  Var backward(const F& rule) const;

  /// In a rule: the gradient of the pass's loss with respect to this value.
  View grad() const { return {node().owner->gradient, node().shape}; }

  /// In a rule: where this operand's gradient goes, false if nobody wants it. Ask just before writing, and write all of
  /// it: the first answer is "overwrite", every later one "accumulate".
  Sink sink() const;
  /// In a rule: adds the product a b to this operand's gradient, if it is wanted. The same as gemm(a, b, sink()), but
  /// for a parameter it may be put off until the optimizer steps: a and b must not change before the tape is cleared.
  /// A factor that is a parameter's own memory is fine: such a product is computed at once.
  /// Throws ShapeError unless a and b fit each other and their product has the operand's size.
  void add_product(MatrixView a, MatrixView b) const;

  bool wants_gradient() const { return node().wants_gradient; }
  /// Whether the last walk backwards reached this value.
  bool has_gradient() const { return node().owner->has_gradient; }

  /// For an op in which the samples of this operand meet, but whose result has as many rows as there are samples, or
  /// may have: see Tape::mixes_samples.
  void mix_samples() const;
  /// For an op that works along an axis: its number, from 0. Along the first one samples meet. Throws ShapeError if
  /// there is no such axis.
  Index along(Index axis) const;

  /// For softmax and sigmoid: `this` was made of `logits`, so that a loss may be computed from these, stably.
  void made_from_logits(Var logits, bool by_softmax) const;
  /// The logits of which softmax (over the last axis) or sigmoid made this value; an empty Var if neither did.
  Var softmax_logits() const;
  Var sigmoid_logits() const;
  /// "softmax" or "sigmoid" if this value holds results of that function, perhaps reshaped, sliced, transposed or
  /// concatenated since; else null. For checks, not for formulas: see softmax_logits.
  const char* squashed_by() const { return node().owner->squashed_by; }
  /// For such ops: says that this value holds nothing but values of x.
  void squashed_as(Var x) const { node().squashed_by = x.squashed_by(); }
  /// The value that this one shows in another shape; itself if it is no reshaped one.
  Var unshaped() const { return on_same_tape(node().owner); }
  explicit operator bool() const { return bits_ != 0; }

 private:
  friend class Tape;
  Var(detail::Node* node, std::uintptr_t pass) : bits_(reinterpret_cast<std::uintptr_t>(node) | pass) {}
  detail::Node& node() const;
  Var on_same_tape(detail::Node* node) const;

  std::uintptr_t bits_ = 0;
};

/// What backward returns: the gradient of every parameter and variable that the loss depends on, in the tape's memory.
/// Valid until the tape is cleared; going backward again overwrites the numbers.
class Gradients {
 public:
  struct Entry {
    const Parameter* parameter = nullptr;
    View gradient;
    /// What is still to be added to the gradient, or to be all of it where nothing `is_summed` yet. Null unless
    /// backward was told to put products off.
    const PendingProduct* products = nullptr;
    bool is_summed = true;
  };
  /// A value that a parameter takes when the optimizer steps: see Tape::record_update.
  struct Update {
    const Parameter* parameter = nullptr;
    ConstView value;
  };

  Gradients() = default;
  /// Of gradients that are kept elsewhere, for as long as the entries are there.
  explicit Gradients(std::span<const Entry> entries, std::span<const Update> updates = {})
      : entries_(entries), updates_(updates) {}

  /// The parameters that learn and that the loss depends on, in the order in which the pass first read them.
  std::span<const Entry> entries() const { return entries_; }
  std::span<const Update> updates() const { return updates_; }

  /// The gradient of a parameter. Throws ValueError if the loss does not depend on it or it is not trainable, or
  /// frozen.
  View operator[](const Parameter& parameter) const;
  /// The gradient of a variable, or of any value on the way to the loss. Throws ValueError if there is none.
  View operator[](Var value) const;

 private:
  std::span<const Entry> entries_;
  std::span<const Update> updates_;
};

enum class Mode { training, inference };

struct BackwardOptions {
  Real gradient = 1;  ///< of some later loss with respect to this one
  /// Leaves the products that rules add to parameters' gradients to whoever takes the gradients: an optimizer that
  /// computes them straight into the parameter saves a round trip through memory. Products that read a parameter of
  /// this tape, or one of `parameters`, are never put off: the step would change their factors.
  bool put_off_products = false;
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
  bool puts_off_products_ = false;
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

/// What an op takes where a Var, a Parameter or a number will do. The latter two are put on the other operand's tape,
/// so that a layer reads like its formula: `x * sigmoid(beta * x)`.
class Operand {
 public:
  /// Throws StateError for an empty Var or one of a cleared tape.
  Operand(Var var) : tape_(&var.tape()), var_(var) {}
  Operand(const Parameter& parameter) : parameter_(&parameter) {}
  Operand(Parameter&&) = delete;
  template <class T>
  requires std::is_arithmetic_v<T> Operand(T number) : number_(static_cast<Real>(number)) {}

  Var on(Tape& tape) const {
    return tape_ != nullptr ? var_ : parameter_ != nullptr ? tape.parameter(*parameter_) : tape.constant(number_);
  }
  /// The tape of a Var; null for the others.
  Tape* tape() const { return tape_; }

 private:
  Tape* tape_ = nullptr;
  Var var_;
  const Parameter* parameter_ = nullptr;
  Real number_ = 0;
};

}  // namespace cornu
