#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/core/arena.h"
#include "cornu/core/autodiff/gradients.h"
#include "cornu/core/autodiff/op.h"
#include "cornu/core/autodiff/var.h"
#include "cornu/core/parameter.h"
#include "cornu/core/random.h"

namespace cornu {

class Communicator;  // core/communicator.h

namespace detail {
class LayerObserver;  // layers/any_layer.h
struct Recording;     // core/autodiff/trace.h
}  // namespace detail

enum class Mode { training, inference };

struct BackwardOptions {
  Real gradient = 1;  ///< gradient of the final objective with respect to this loss
  /// Returns matrix products that are parameters' gradients as deferred products. An optimizer that computes them
  /// directly into the parameter saves a round trip through memory. A product that reads a parameter of this tape, or
  /// one of `parameters`, is never deferred, because the step would change its factors.
  bool defer_products = false;
  /// Parameters that the step changes in addition to those read by this pass, such as those of another shard.
  std::span<Parameter* const> parameters{};
  /// Called for each parameter as soon as its gradient is complete, with the deferred products, if there are any.
  GradientListener* listener = nullptr;
};

/// The record of one forward pass: its values in order, each with its backward rule. Everything is stored in an arena
/// that the next pass reuses, so that a warm pass allocates nothing on the heap. Use one tape per thread; any number of
/// tapes may read the same parameters at the same time.
class Tape {
 public:
  /// In `training` mode backward rules are recorded and layers such as Dropout are active. `seed` seeds `rng`.
  explicit Tape(Mode mode = Mode::training, std::uint64_t seed = 0) : mode_(mode), rng_(seed) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape() = default;

  Mode mode() const { return mode_; }
  bool training() const { return mode_ == Mode::training; }
  /// Generator of random layers. Assign to it to choose the stream of a pass: `tape.rng() = Rng(seed, step)`.
  Rng& rng() { return rng_; }

  /// Ends the pass and invalidates its Vars, gradients and views.
  void clear();

  /// Data without a gradient. It is not copied and must outlive the pass.
  Var input(ConstView x);
  Var input(Tensor&&) = delete;
  /// Like `input`, with a batch axis first. Ops that mix samples are tracked: see mixes_samples.
  Var samples(ConstView x);
  Var samples(Tensor&&) = delete;
  /// Like `input`, with a gradient: for gradient checks and adversarial examples.
  Var variable(ConstView x);
  Var variable(Tensor&&) = delete;
  /// Data without a gradient, copied into the tape.
  Var constant(ConstView x);
  Var constant(Real x);
  /// A parameter, not copied, with a gradient if it learns(). The same parameter always gives the same Var.
  Var parameter(const Parameter& parameter);
  Var parameter(Parameter&&) = delete;

  /// For ops: a new value computed from `operands`, uninitialised. `op`: name and options, for traces.
  /// Throws StateError for operands on another tape.
  Var output(const Shape& shape, std::initializer_list<Var> operands, OpDescription&& op = {}) {
    return output(shape, std::span<const Var>(operands.begin(), operands.size()), std::move(op));
  }
  Var output(const Shape& shape, std::span<const Var> operands, OpDescription&& op = {});
  /// For ops: x in another shape, sharing memory and gradient. Throws ShapeError if the sizes differ.
  Var alias(Var x, const Shape& shape);
  /// The same for a shape whose first axis has the same number of rows for each sample, one sample after another.
  Var alias_of_rows(Var x, const Shape& shape);
  /// For ops: scratch memory, uninitialised, valid until the tape is cleared.
  View scratch(const Shape& shape);
  void* allocate(std::size_t bytes) { return arena_.allocate(bytes); }
  /// For ops: memory for `count` objects, uninitialised, valid until the tape is cleared. No destructors are run.
  template <class T>
  requires std::is_trivially_destructible_v<T> std::span<T> memory(std::size_t count) {
    return {static_cast<T*>(allocate(count * sizeof(T))), count};
  }
  /// For kernels that allocate scratch memory themselves.
  detail::Arena& arena() { return arena_; }

  /// Makes the optimizer step set `parameter` to the current value of `value`: for moving averages and other state,
  /// because `forward` must not change parameters. The last update of a parameter wins. Does nothing in inference mode
  /// or for a frozen parameter. Throws ShapeError if the shapes differ.
  void record_update(const Parameter& parameter, Var value);

  /// True once an op has mixed samples or dropped the batch axis. Then a pass over a batch is not the sum of the passes
  /// over its shards.
  bool mixes_samples() const { return mixes_samples_; }
  void set_mixes_samples(bool mixes) { mixes_samples_ = mixes; }

  /// Backward pass from `loss`, one element. Throws ShapeError for another size, StateError in inference mode and after
  /// parameters_changed.
  Gradients backward(Var loss, const BackwardOptions& options = {});
  /// Backward pass from a value of any shape. gradient: of the final objective with respect to `value`, in its shape.
  Gradients backward(Var value, ConstView gradient);
  /// For optimizers: makes `backward` throw StateError until `clear`, because the pass used the old parameters.
  void parameters_changed() { parameters_changed_ = true; }

  /// For layers: adds a scalar to the loss of this pass, as Keras's add_loss does: a penalty on the layer's output. The
  /// training step reads it from `losses`. It must be a mean over the samples if batches are sharded.
  void add_loss(Var loss) { losses_.push_back(loss); }
  std::span<const Var> losses() const { return losses_; }

  /// For layers: the number of values so far, and whether an op has dropped the mask of an operand since then.
  std::size_t value_count() const { return node_count_; }
  bool has_dropped_mask(std::size_t since);

  /// For layers: notifies `observer` of every layer of this pass, until the tape is cleared.
  void observe_layers(detail::LayerObserver* observer) { layer_observer_ = observer; }
  detail::LayerObserver* layer_observer() const { return layer_observer_; }

  /// In distributed training, while each rank passes its part of the batch: the ranks; else null. For layers that need
  /// sums over the whole batch. All ranks must exchange the same, in the same order.
  Communicator* communicator() const { return communicator_; }
  void set_communicator(Communicator* communicator) { communicator_ = communicator; }

  /// For traces: lists every op of this pass in `recording`, until the tape is cleared.
  void record(detail::Recording* recording) { recording_ = recording; }
  detail::Recording* recording() const { return recording_; }

  /// Memory held for passes, in bytes.
  std::size_t capacity() const { return arena_.capacity(); }

 private:
  friend class Var;
  static constexpr std::size_t block_size = 64;
  static constexpr std::uintptr_t pass_mask = alignment - 1;

  void require_own(Var value, const char* what) const;
  bool may_change(const MatrixView& factor) const;
  Gradients walk_backward(Var value, ConstView gradient, GradientListener* listener = nullptr);
  Gradients::Entry entry_of(detail::Node& parameter);
  Var alias(Var x, const Shape& shape, bool keeps_rows);
  /// node: computed from samples. keeps_rows: its first axis is the batch axis, or has the same rows of each sample as
  /// that of an operand.
  void follow_samples(detail::Node& node, bool keeps_rows);
  detail::Node& new_node(const Shape& shape, const Real* value, bool wants_gradient);
  detail::Node& node_at(std::size_t i) { return blocks_[i / block_size][i % block_size]; }
  Var var(detail::Node& node) { return {&node, pass_}; }

  Mode mode_;
  Rng rng_;
  std::uintptr_t pass_ = 1;  // modulo 64
  detail::Arena arena_;
  std::vector<std::unique_ptr<detail::Node[]>> blocks_;
  std::size_t node_count_ = 0;
  bool has_gone_backward_ = false;
  bool parameters_changed_ = false;
  bool defers_products_ = false;
  std::span<Parameter* const> stepped_;  // BackwardOptions::parameters of the current backward pass
  bool mixes_samples_ = false;
  Index samples_ = 0;
  std::vector<detail::Node*> parameters_;
  std::vector<Gradients::Update> updates_;
  std::vector<Var> losses_;
  detail::LayerObserver* layer_observer_ = nullptr;
  detail::Recording* recording_ = nullptr;
  Communicator* communicator_ = nullptr;
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
