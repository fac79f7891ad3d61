#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/parameter.h"
#include "cornu/core/tape.h"
#include "cornu/optim/optimizer_extras.h"
#include "cornu/optim/schedule.h"

namespace cornu {

class Optimizer;
class Team;  // core/kernels/team.h, which would bring <thread> to every program

namespace detail {
void step(Optimizer& optimizer, std::span<const Gradients> parts, Team* team);  // optim/shared_step.h
}

/// Where training stands: what a rule may know beside the parameter and its gradient.
struct Step {
  Index iteration = 0;       ///< updates made before this one
  double learning_rate = 0;  ///< of this update
};

/// A rule by which a gradient changes a parameter: a struct that can be copied, with
///   LearningRate learning_rate;
///   Index slot_count() const        the tensors of state that it keeps for a parameter, `state` below
///   void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const
/// and, where it has them, Keras's options for every optimizer, which are seen to before `update` is called:
///   double weight_decay     first parameter -= learning_rate * weight_decay * parameter; 0 for none
///   double clipnorm         each gradient scaled down to this norm; 0 for none, as for the next two
///   double clipvalue        each number of a gradient limited to [-clipvalue, clipvalue]
///   double global_clipnorm  all gradients scaled down together to this norm; at most one of the three may be given
/// More members are used where they exist:
///   void check() const                              throws ValueError for options that the rule cannot have
///   void begin(std::span<const View> state) const   gives the state other values than the zeros that it begins with
///   static constexpr bool elementwise = true        each number is updated by its own gradient and state alone, so
///                                                   that parts of a parameter may be updated apart, at the same time
///   bool is_gradient_descent() const                whether update is parameter -= learning_rate * gradient and no
///                                                   more: it is then not called, but made as the gradient is summed
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

}  // namespace detail

/// Any rule, held by value, and what is to be done beside it. One that was moved from can be assigned to or destroyed;
/// any other use throws StateError.
class AnyOptimizer {
 public:
  /// Throws ValueError for options that no rule can have: a negative rate, decay or limit, or two kinds of clipping;
  /// and whatever the rule's own check and its schedule, asked for the rate of step 0, throw.
  template <class R>
  requires(!std::same_as<R, AnyOptimizer> && OptimizerRule<R>) AnyOptimizer(R rule, OptimizerExtras extras = {})
      : learning_rate_(rule.learning_rate),
        options_(detail::options_of(rule)),
        extras_(std::move(extras)),
        box_(std::make_shared<const BoxOf<R>>(std::move(rule))) {
    check();
  }

  // What is nearly a rule: it is accepted, and then refused by a static_assert that says why.
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

  /// The same rule with other extras. Throws as above.
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
  /// The rule's own, and then one for the average where there is one.
  Index slot_count() const { return detail::held_by(box_).slot_count() + (extras_.use_ema ? 1 : 0); }
  bool elementwise() const { return detail::held_by(box_).elementwise(); }
  bool is_gradient_descent() const { return detail::held_by(box_).is_gradient_descent(); }
  void begin(std::span<const View> state) const { detail::held_by(box_).begin(own(state)); }
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
    detail::held_by(box_).update(parameter, gradient, own(state), step);
  }

 private:
  struct Box {
    Box() = default;
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;
    virtual ~Box() = default;
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

/// A rule at work on the parameters of a model, with the state that it keeps for each: `optimizer.step(gradients)`.
/// It keeps the parameters' addresses. Building a model anew, adding or removing layers, or assigning to it replaces
/// parameters; after that every use of the old ones throws StateError, and a new optimizer is needed.
/// One that was moved from can be assigned to or destroyed; any other use throws StateError.
class Optimizer {
 public:
  /// Throws ValueError where the rule's extras name what is not among the parameters, StateError for a parameter that
  /// its layer has not built yet.
  Optimizer(AnyOptimizer rule, const NamedParameters& parameters);

  /// Changes every parameter that has a gradient, then gives each parameter with a recorded update its new value, and
  /// brings each that was changed by its gradient back to its constraint.
  /// The gradients are clipped in place. Parameters that are not this optimizer's are left alone, as are their
  /// gradients. Steps allocate nothing. Throws StateError, before anything is changed, if a parameter has another shape
  /// than its gradient, its update or its state, if a parameter of this optimizer is gone or has moved, or if all of
  /// the gradients and updates are those of other parameters.
  void step(const Gradients& gradients) { step({&gradients, 1}); }
  /// The same for a batch that was gone through in parts, each with gradients of its own: the sum of these is taken, in
  /// their order. Updates are taken from the last part that recorded one.
  void step(std::span<const Gradients> parts) { detail::step(*this, parts, nullptr); }
  /// Goes backward from a loss, one number, and steps. The same as step(loss.tape().backward(loss)) but for the order
  /// of roundings, and faster: plain gradient descent adds the large products that gradients are made of straight to
  /// the parameters.
  /// Ends the pass for gradients: going backward on its tape again, before it is cleared, throws StateError.
  void minimize(Var loss) {
    Tape& tape = loss.tape();
    step(tape.backward(loss, {.defer_products = true, .parameters = parameters()}));
    tape.parameters_changed();
  }

  /// Whether its parameters are all still there, with the shapes that its state was made for.
  bool is_usable() const;
  /// Throws StateError if one of them is gone or has moved.
  std::span<Parameter* const> parameters() const;
  /// The number of steps made so far.
  Index iterations() const { return held().iterations_; }
  /// To go on with a run whose state was kept elsewhere. Throws ValueError if it is negative.
  void set_iterations(Index iterations);
  /// The rate of the next step.
  double learning_rate() const { return held().rate().at(iterations_); }
  /// From the next step on, for good, instead of the rule's own rate: also where that is a schedule.
  /// Throws ValueError if the rate of that step is negative.
  void set_learning_rate(LearningRate rate);

  /// What set_learning_rate gave, if it did.
  const std::optional<LearningRate>& replaced_learning_rate() const { return held().replaced_rate_; }

  const AnyOptimizer& rule() const { return held().rule_; }
  /// Exchanges the weights and their averages, those of parameters that learn; twice, and all is as it was.
  /// Before the first step it does nothing: there the averages are the weights. Throws StateError without use_ema.
  void swap_averages();
  /// The averages become the weights, as when training ends. Throws StateError without use_ema.
  void overwrite_with_averages();

  /// What the rule keeps: `rule().slot_count()` tensors a parameter, in the order of the parameters.
  std::span<Tensor> state() {
    held();
    return state_;
  }
  std::span<const Tensor> state() const { return held().state_; }

  /// Whether every parameter that has a gradient or a recorded update is one of this optimizer's.
  bool knows_all(const Gradients& gradients) const;

  /// The same state for the parameters of a copy of the model. Throws ShapeError if they do not correspond, StateError
  /// as parameters().
  Optimizer rebound(const NamedParameters& parameters) const;

 private:
  /// A part of every parameter: of `count` equal parts of its rows the one of this number.
  struct Block {
    Index number = 0, count = 1;
  };

  friend class AveragedWeights;
  friend void detail::step(Optimizer& optimizer, std::span<const Gradients> parts, Team* team);
  void step(std::span<const Gradients> parts, Team* team);
  const Optimizer& held() const {
    rule_.options();  // throws where the rule was moved away
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
  void each_block(Index blocks, Team* team, Work work) const;
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
  std::vector<Shape> shapes_;                         // likewise, when they were given
  bool repeats_ = false;                              // a parameter is listed twice: the first place counts
  std::vector<detail::Treatment> treatments_;
  std::vector<Tensor> state_;
  Index slots_ = 0;
  Index iterations_ = 0;
  std::optional<LearningRate> replaced_rate_;
  std::vector<const Gradients::Entry*> entries_;  // of the step being made: each parameter's in each part, or null
  detail::Lifetime lifetime_;
};

/// While it lives, the parameters have their averaged values:
/// `{ const AveragedWeights averaged(model.optimizer()); model.evaluate(test); }`.
/// Where the optimizer or its parameters are replaced meanwhile (compile, build, add, assignment) there is nothing to
/// exchange any more, and the parameters stay as they are.
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
