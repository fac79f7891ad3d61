#include "cornu/optim/registry.h"

#include "cornu/optim/adagrad.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/lamb.h"
#include "cornu/optim/lion.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/optim/nadam.h"
#include "cornu/optim/rmsprop.h"
#include "cornu/optim/sgd.h"

namespace cornu {

namespace detail {

Registry<AnyOptimizer>& optimizer_registry() {
  static Registry<AnyOptimizer> registry("optimizer", "register_optimizer", [](Registry<AnyOptimizer>& own) {
    own.add_all<Adagrad, Adam, AdamW, Lamb, Lion, Nadam, RMSprop, SGD>();
  });
  return registry;
}

Registry<AnyLoss>& loss_registry() {
  static Registry<AnyLoss> registry("loss", "register_loss", [](Registry<AnyLoss>& own) {
    own.add_all<BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
                CosineSimilarity, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError,
                MeanSquaredError, MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy>();
  });
  return registry;
}

Registry<LearningRate>& schedule_registry() {
  static Registry<LearningRate> registry("schedule", "register_schedule", [](Registry<LearningRate>& own) {
    // LinearWarmup needs an initial value, because LearningRate has no default constructor.
    own.add<LinearWarmup>("LinearWarmup", [] { return LinearWarmup{.learning_rate = 0, .warmup_steps = 0}; });
    own.add_all<CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, OneCycle, PiecewiseConstantDecay,
                PolynomialDecay>();
  });
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
