#pragma once

#include "cornu/core/options/registry.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/optim/optimizer.h"
#include "cornu/optim/schedule.h"

/// Names of optimizers, losses and schedules in files. Cornu's are registered already. Register a user's struct as for
/// layers (layers/registry.h): `register_loss<Pinball>();`. A lambda has no name and cannot be registered.
namespace cornu {

namespace detail {

Registry<AnyOptimizer>& optimizer_registry();
Registry<AnyLoss>& loss_registry();
Registry<LearningRate>& schedule_registry();

}  // namespace detail

template <OptimizerRule R>
requires std::default_initializable<R>
void register_optimizer(std::string name = std::string(detail::type_name<R>())) {
  detail::optimizer_registry().add<R>(std::move(name));
}
template <class L>
requires(WeightedLoss<L> || PlainLoss<L>) && std::default_initializable<L> void register_loss(
                                                 std::string name = std::string(detail::type_name<L>())) {
  detail::loss_registry().add<L>(std::move(name));
}
template <class S>
requires std::is_invocable_r_v<double, const S&, Index> && std::default_initializable<S>
void register_schedule(std::string name = std::string(detail::type_name<S>())) {
  detail::schedule_registry().add<S>(std::move(name));
}

/// {"class_name": "Adam", "config": {...}, "extras": {...}}
void to_json(Json& json, const AnyOptimizer& optimizer);
AnyOptimizer json_to(const Json& json, As<AnyOptimizer>);
void to_json(Json& json, const AnyLoss& loss);
AnyLoss json_to(const Json& json, As<AnyLoss>);
/// A number, or a schedule: {"class_name": "CosineDecay", "config": {...}}.
void to_json(Json& json, const LearningRate& rate);
LearningRate json_to(const Json& json, As<LearningRate>);

}  // namespace cornu
