#include "cornu/optim/registry.h"

#include "cornu/optim/adagrad.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/lion.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/optim/nadam.h"
#include "cornu/optim/rmsprop.h"
#include "cornu/optim/sgd.h"

namespace cornu {

namespace detail {

namespace {

template <class... T>
bool add_all(auto& registry) {
  (registry.template add<T>(), ...);
  return true;
}

}  // namespace

Registry<AnyOptimizer>& optimizer_registry() {
  static Registry<AnyOptimizer> registry("optimizer", "register_optimizer");
  static const bool filled = add_all<Adagrad, Adam, AdamW, Lion, Nadam, RMSprop, SGD>(registry);
  static_cast<void>(filled);
  return registry;
}

Registry<AnyLoss>& loss_registry() {
  static Registry<AnyLoss> registry("loss", "register_loss");
  static const bool filled =
      add_all<BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
              CosineSimilarity, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError,
              MeanSquaredError, MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy>(registry);
  static_cast<void>(filled);
  return registry;
}

Registry<LearningRate>& schedule_registry() {
  static Registry<LearningRate> registry("schedule", "register_schedule");
  static const bool filled = [] {
    // LinearWarmup needs an initial value, because LearningRate has no default constructor.
    registry.add<LinearWarmup>("LinearWarmup", [] { return LinearWarmup{.learning_rate = 0, .warmup_steps = 0}; });
    return add_all<CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, OneCycle,
                   PiecewiseConstantDecay, PolynomialDecay>(registry);
  }();
  static_cast<void>(filled);
  return registry;
}

}  // namespace detail

void to_json(Json& json, const AnyOptimizer& optimizer) {
  json = detail::optimizer_registry().describe(optimizer, "the optimizer");
  OptionVisitor visit;
  OptimizerExtras extras = optimizer.extras();
  extras.options(visit);
  json.set("extras", std::move(visit).written());
}

AnyOptimizer json_to(const Json& json, As<AnyOptimizer>) {
  OptionVisitor visit(json.at("extras"));
  OptimizerExtras extras;
  extras.options(visit);
  visit.require_all_read();
  return {detail::optimizer_registry().make(json), std::move(extras)};
}

void to_json(Json& json, const AnyLoss& loss) { json = detail::loss_registry().describe(loss, "the loss"); }
AnyLoss json_to(const Json& json, As<AnyLoss>) { return detail::loss_registry().make(json); }

void to_json(Json& json, const LearningRate& rate) {
  if (rate.is_schedule()) {
    json = detail::schedule_registry().describe(rate, "the learning rate");
  } else {
    to_json(json, rate.at(0));
  }
}

LearningRate json_to(const Json& json, As<LearningRate>) {
  if (json.as<Json::Object>() != nullptr) return detail::schedule_registry().make(json);
  return value_of<double>(json);
}

}  // namespace cornu
