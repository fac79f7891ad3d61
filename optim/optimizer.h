#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/deep_ptr.h"
#include "cornu/core/parameter.h"
#include "cornu/optim/optimizer_extras.h"
#include "cornu/optim/schedule.h"

namespace cornu {

class Optimizer;
namespace detail {
class Team;  // core/kernels/team.h; not included here, because it includes <thread>
void step(Optimizer& optimizer, std::span<const Gradients> parts, Team* team);  // optim/shared_step.h
}  // namespace detail

/// The state of training that a rule gets in addition to a parameter and its gradient.
struct Step {
  Index iteration = 0;       ///< number of earlier updates
  double learning_rate = 0;  ///< learning rate of this update
};

/// An update rule: a copyable struct with
///   LearningRate learning_rate;
///   Index slot_count() const        number of slots (state tensors) per parameter: the size of `state` below
///   void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const
/// Keras's common options are optional members. The optimizer applies them before it calls `update`. 0 disables each of
/// these options.
///   double weight_decay     parameter -= learning_rate * weight_decay * parameter
///   double clipnorm         scales each gradient down to at most this norm
///   double clipvalue        clips each element of a gradient to [-clipvalue, clipvalue]
///   double global_clipnorm  scales all gradients together down to at most this norm; set at most one of the three
/// Further optional members:
///   void check() const                              throws ValueError for invalid options
///   void begin(std::span<const View> state) const   initializes the state, which is zero otherwise
///   static constexpr bool elementwise = true        the update of an element depends only on its own gradient and
///                                                   state, so that parts of a parameter may be updated in parallel
///   bool is_gradient_descent() const                true if update is exactly parameter -= learning_rate * gradient;
///                                                   then update is not called, and the optimizer subtracts the
///                                                   gradients while it sums them
template <class R>
concept OptimizerRule = std::copy_constructible<R> &&
    requires(const R& rule, View parameter, ConstView gradient, std::span<const View> state, const Step& step) {
  { rule.learning_rate } -> std::convertible_to<LearningRate>;
  { rule.slot_count() } -> std::convertible_to<Index>;
  rule.update(parameter, gradient, state, step);
};

namespace detail {

inline constexpr std::size_t most_slots = 8;

struct OptimizerOptions {
  double weight_decay = 0, clipnorm = 0, clipvalue = 0, global_clipnorm = 0;
};

template <class R>
OptimizerOptions options_of(const R& rule) {
  OptimizerOptions options;
  if constexpr (requires { rule.weight_decay; }) options.weight_decay = rule.weight_decay;
  if constexpr (requires { rule.clipnorm; }) options.clipnorm = rule.clipnorm;
  if constexpr (requires { rule.clipvalue; }) options.clipvalue = rule.clipvalue;
  if constexpr (requires { rule.global_clipnorm; }) options.global_clipnorm = rule.global_clipnorm;
  return options;
}

/// Visits the common options, for a rule that has all of them.
template <class R>
void visit_common_options(R& rule, auto& visit) {
  visit("weight_decay", rule.weight_decay);
  visit("clipnorm", rule.clipnorm);
  visit("clipvalue", rule.clipvalue);
  visit("global_clipnorm", rule.global_clipnorm);
}

}  // namespace detail

/// Any rule, held by value, together with its extras. A moved-from AnyOptimizer can be assigned to or destroyed; any
/// other use throws StateError.
class AnyOptimizer {
 public:
  /// Throws ValueError for options that are invalid for any rule: a negative rate, decay or limit, or two kinds of
  /// clipping. Also throws what the rule's check() or its schedule (evaluated at step 0) throws.
  template <class R>
  requires(!std::same_as<R, AnyOptimizer> && OptimizerRule<R>) AnyOptimizer(R rule, OptimizerExtras extras = {})
      : learning_rate_(rule.learning_rate),
        options_(detail::options_of(rule)),
        extras_(std::move(extras)),
        box_(std::make_shared<const BoxOf<R>>(std::move(rule))) {
    check();
  }

  // Accepts invalid types, so that a static_assert can say what is missing.
  template <std::convertible_to<std::string_view> Text>
  AnyOptimizer(const Text&) : learning_rate_(0) {
    static_assert(!std::convertible_to<Text, std::string_view>,
                  "an optimizer is a struct, not a string: .optimizer = Adam{}");
  }
  template <class R>
  requires(!std::same_as<R, AnyOptimizer> && !OptimizerRule<R> && requires { &R::update; }) AnyOptimizer(const R&)
      : learning_rate_(0) {
    static_assert(
        OptimizerRule<R>,
        "an optimizer's rule must be copyable and have LearningRate learning_rate, Index slot_count() const and "
        "void update(View parameter, ConstView gradient, std::span<const View> slots, const Step& step) const");
  }

  /// The same rule with other extras. Throws as the constructor above.
  AnyOptimizer(const AnyOptimizer& other, OptimizerExtras extras) : AnyOptimizer(other) {
    extras_ = std::move(extras);
    check();
  }

  /// The rule itself if it is an R, else null.
  template <class R>
  const R* as() const {
    const auto* box = dynamic_cast<const BoxOf<R>*>(&detail::held_by(box_));
    return box == nullptr ? nullptr : &box->rule;
  }
  const LearningRate& learning_rate() const { return held().learning_rate_; }
  const detail::OptimizerOptions& options() const { return held().options_; }
  const OptimizerExtras& extras() const { return held().extras_; }
  /// The slots of the rule, plus one for the average with use_ema.
  Index slot_count() const { return detail::held_by(box_).slot_count() + (extras_.use_ema ? 1 : 0); }
  bool elementwise() const { return detail::held_by(box_).elementwise(); }
  bool is_gradient_descent() const { return detail::held_by(box_).is_gradient_descent(); }
  void begin(std::span<const View> state) const { detail::held_by(box_).begin(own(state)); }
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
    detail::held_by(box_).update(parameter, gradient, own(state), step);
  }

 private:
  struct Box : detail::Polymorphic {
    virtual void check() const = 0;
    virtual Index slot_count() const = 0;
    virtual bool elementwise() const = 0;
    virtual bool is_gradient_descent() const = 0;
    virtual void begin(std::span<const View> state) const = 0;
    virtual void update(View, ConstView, std::span<const View>, const Step&) const = 0;
  };

  template <class R>
  struct BoxOf final : Box {
    R rule;

    explicit BoxOf(R r) : rule(std::move(r)) {}
    void check() const override {
      if constexpr (requires { rule.check(); }) rule.check();
    }
    Index slot_count() const override { return rule.slot_count(); }
    bool elementwise() const override {
      if constexpr (requires { R::elementwise; }) return R::elementwise;
      return false;
    }
    bool is_gradient_descent() const override {
      if constexpr (requires { rule.is_gradient_descent(); }) return rule.is_gradient_descent();
      return false;
    }
    void begin(std::span<const View> state) const override {
      if constexpr (requires { rule.begin(state); }) rule.begin(state);
    }
    void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const override {
      rule.update(parameter, gradient, state, step);
    }
  };

  void check() const;
  const AnyOptimizer& held() const {
    detail::require_held(box_ != nullptr);
    return *this;
  }
  std::span<const View> own(std::span<const View> state) const {
    return state.first(state.size() - (extras_.use_ema ? 1 : 0));
  }

  LearningRate learning_rate_;
  detail::OptimizerOptions options_;
  OptimizerExtras extras_;
  std::shared_ptr<const Box> box_;  // never changed, so that copies may share it
};

/// Applies a rule to the parameters of a model and owns the slots of each: `optimizer.step(gradients)`.
/// It keeps the parameters' addresses. Rebuilding a model, adding or removing layers, or assigning to the model
/// replaces its parameters. After that, every use of the old ones throws StateError, and a new optimizer is needed. A
/// moved-from Optimizer can be assigned to or destroyed; any other use throws StateError.
class Optimizer {
 public:
  /// Throws ValueError if the rule's extras name something that is not among the parameters, StateError for a parameter
  /// whose layer is not built yet.
  Optimizer(AnyOptimizer rule, const NamedParameters& parameters);

  /// Updates every parameter that has a gradient, assigns recorded updates (such as moving means), updates the averages
  /// (use_ema), and applies the constraints of the parameters that had a gradient, in this order.
  /// Clips the gradients in place. Ignores parameters of other optimizers. Allocates nothing once warm.
  /// Throws StateError, before anything is changed, if the shape of a parameter differs from its gradient, update or
  /// state, if a parameter of this optimizer is gone or has moved, or if all gradients and updates belong to other
  /// parameters.
  void step(const Gradients& gradients) { step({&gradients, 1}); }
  /// The same for the gradients of several shards of a batch, which are summed in order. An update is taken from the
  /// last shard that recorded one.
  void step(std::span<const Gradients> parts) { detail::step(*this, parts, nullptr); }
  /// Runs the backward pass from a scalar loss and steps. Equals step(loss.tape().backward(loss)) up to rounding
  /// errors, but is faster: plain gradient descent computes deferred products directly into the parameters.
  /// Running backward on the tape again before it is cleared throws StateError.
  void minimize(Var loss) {
    Tape& tape = loss.tape();
    step(tape.backward(loss, {.defer_products = true, .parameters = parameters()}));
    tape.parameters_changed();
  }

  /// True if all parameters still exist and have the shapes that the state was created for.
  bool is_usable() const;
  /// Throws StateError if a parameter is gone or has moved.
  std::span<Parameter* const> parameters() const;
  /// The number of steps so far.
  Index iterations() const { return held().iterations_; }
  /// For resuming a run whose state was saved elsewhere. Throws ValueError if negative.
  void set_iterations(Index iterations);
  /// The learning rate of the next step.
  double learning_rate() const { return held().rate().at(iterations_); }
  /// Replaces the rule's learning rate, constant or schedule, permanently from the next step on.
  /// Throws ValueError if the rate of that step is negative.
  void set_learning_rate(LearningRate rate);

  /// The argument of the last set_learning_rate, if it was called.
  const std::optional<LearningRate>& replaced_learning_rate() const { return held().replaced_rate_; }

  const AnyOptimizer& rule() const { return held().rule_; }
  /// Swaps the trainable parameters with their averages; a second call restores them. Does nothing before the first
  /// step, when there are no averages yet. Throws StateError without use_ema.
  void swap_averages();
  /// Copies the averages into the trainable parameters, as at the end of training. Does nothing before the first step.
  /// Throws StateError without use_ema.
  void overwrite_with_averages();

  /// All slots: `rule().slot_count()` tensors per parameter, in the order of the parameters.
  std::span<Tensor> state() {
    held();
    return state_;
  }
  std::span<const Tensor> state() const { return held().state_; }

  /// True if every parameter with a gradient or a recorded update belongs to this optimizer.
  bool knows_all(const Gradients& gradients) const;

  /// A copy of this optimizer, with its state, for the parameters of a copy of the model. Throws ShapeError if their
  /// number or shapes differ, StateError as parameters().
  Optimizer rebound(const NamedParameters& parameters) const;

 private:
  /// Block `number` of `count` about equal blocks of the rows of each parameter.
  struct Block {
    Index number = 0, count = 1;
  };

  friend class AveragedWeights;
  friend void detail::step(Optimizer& optimizer, std::span<const Gradients> parts, detail::Team* team);
  void step(std::span<const Gradients> parts, detail::Team* team);
  const Optimizer& held() const {
    rule_.options();  // throws if the rule was moved from
    return *this;
  }
  const LearningRate& rate() const { return replaced_rate_ ? *replaced_rate_ : rule_.learning_rate(); }
  void keep(std::size_t i, const NamedParameter& named);
  void require_alive() const;
  Index find(const Parameter* parameter, Index& next) const;
  void check(const Gradients& gradients) const;
  void check_state(std::size_t parameter) const;
  void collect(std::span<const Gradients> parts);
  template <class Work>
  void each_block(Index blocks, detail::Team* team, Work work) const;
  std::span<const Gradients::Entry* const> entries_of(std::size_t parameter) const;
  void descend(std::size_t parameter, const Block& block, double learning_rate);
  void sum(std::size_t parameter, const Block& block);
  void limit_norms();
  void update(std::size_t parameter, const Block& block, Step step);
  void move_averages();
  template <class F>
  void for_each_average(F f);
  Tensor& average(std::size_t parameter) { return state_[(parameter + 1) * static_cast<std::size_t>(slots_) - 1]; }

  AnyOptimizer rule_;
  std::vector<Parameter*> parameters_;
  std::vector<std::weak_ptr<const void>> lifetimes_;  // of the parameters
  std::vector<Shape> shapes_;                         // of the parameters at construction
  bool repeats_ = false;                              // a parameter is listed twice: its first position counts
  std::vector<detail::Treatment> treatments_;
  std::vector<Tensor> state_;
  Index slots_ = 0;
  Index iterations_ = 0;
  std::optional<LearningRate> replaced_rate_;
  std::vector<const Gradients::Entry*> entries_;  // of the current step, by parameter and part; null for no gradient
  detail::Lifetime lifetime_;
};

/// Gives the parameters their averaged values for the lifetime of this object:
/// `{ const AveragedWeights averaged(model.optimizer()); model.evaluate(test); }`.
/// If the optimizer or its parameters are replaced meanwhile (compile, build, add, assignment), the destructor leaves
/// the parameters as they are.
class AveragedWeights {
 public:
  /// Throws StateError without use_ema.
  explicit AveragedWeights(Optimizer& optimizer);
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;
  ~AveragedWeights();

 private:
  Optimizer& optimizer_;
  std::weak_ptr<const void> lifetime_;  // of the optimizer
};

}  // namespace cornu
