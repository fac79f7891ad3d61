#include "cornu/optim/optimizer.h"

#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/core/option_checks.h"

namespace cornu {

namespace {

void check_rate(const LearningRate& rate, Index step) {
  detail::require_not_negative("optimizer", "learning_rate", rate.at(step));
}

}  // namespace

void AnyOptimizer::check() const {
  const auto [weight_decay, clipnorm, clipvalue, global_clipnorm] = options_;
  check_rate(learning_rate_, 0);
  detail::require_not_negative("optimizer", "weight_decay", weight_decay);
  detail::require_not_negative("optimizer", "clipnorm", clipnorm);
  detail::require_not_negative("optimizer", "clipvalue", clipvalue);
  detail::require_not_negative("optimizer", "global_clipnorm", global_clipnorm);
  require<ValueError>((clipnorm > 0) + (clipvalue > 0) + (global_clipnorm > 0) <= 1,
                      "optimizer: clipnorm {}, clipvalue {} and global_clipnorm {}; only one can be given", clipnorm,
                      clipvalue, global_clipnorm);
  extras_.check();
  box_->check();
  require<ValueError>(slot_count() >= 0 && slot_count() <= static_cast<Index>(detail::most_slots),
                      "optimizer: {} slots per parameter; from 0 to {} are supported", slot_count(),
                      detail::most_slots);
}

Optimizer::Optimizer(AnyOptimizer rule, const NamedParameters& parameters)
    : rule_(std::move(rule)), treatments_(detail::treatments(rule_.extras(), parameters)), slots_(rule_.slot_count()) {
  state_.reserve(parameters.size() * static_cast<std::size_t>(slots_));
  parameters_.resize(parameters.size());
  lifetimes_.resize(parameters.size());
  shapes_.resize(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) keep(i, parameters[i]);
  std::vector<Parameter*> sorted = parameters_;
  std::sort(sorted.begin(), sorted.end());
  repeats_ = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  for (std::size_t i = 0; repeats_ && i < parameters.size(); ++i) {
    Index any = 0;
    const auto first = static_cast<std::size_t>(find(parameters_[i], any));
    if (first == i) continue;
    treatments_[first].rate_factor *= treatments_[i].rate_factor;
    treatments_[first].decays = treatments_[first].decays && treatments_[i].decays;
  }
  for (const NamedParameter& named : parameters) {
    std::array<View, detail::most_slots> slots;
    for (std::size_t k = 0; k < static_cast<std::size_t>(slots_); ++k) {
      slots[k] = state_.emplace_back(named.parameter->shape());
    }
    rule_.begin({slots.data(), static_cast<std::size_t>(slots_)});
  }
}

void Optimizer::keep(std::size_t i, const NamedParameter& named) {
  require<StateError>(named.parameter->shape() != Tensor().shape(),
                      "optimizer: {} has no values yet; build its layer or model before creating the optimizer",
                      named.name);
  parameters_[i] = named.parameter;
  shapes_[i] = named.parameter->shape();
  lifetimes_[i] = named.parameter->lifetime.watch();
}

void Optimizer::require_alive() const {
  held();
  const auto gone =
      std::count_if(lifetimes_.begin(), lifetimes_.end(), [](const auto& each) { return each.expired(); });
  require<StateError>(gone == 0,
                      "optimizer: {} of its {} parameters are gone or have moved, because their model was rebuilt, "
                      "changed or assigned to; compile the model again, or create a new optimizer for its parameters",
                      gone, lifetimes_.size());
}

bool Optimizer::is_usable() const {
  held();
  const auto is_gone = [](const auto& each) { return each.expired(); };
  if (std::any_of(lifetimes_.begin(), lifetimes_.end(), is_gone)) return false;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i]->shape() != shapes_[i]) return false;
  }
  return true;
}

std::span<Parameter* const> Optimizer::parameters() const {
  require_alive();
  return parameters_;
}

void Optimizer::set_iterations(Index iterations) {
  held();
  detail::require_not_negative("optimizer", "iterations", iterations);
  iterations_ = iterations;
}

void Optimizer::set_learning_rate(LearningRate rate) {
  held();
  check_rate(rate, iterations_);
  replaced_rate_ = std::move(rate);
}

/// The index of a parameter, or -1 if it is not this optimizer's. `next` is the index to try first, because gradients
/// are in nearly the same order as the parameters.
Index Optimizer::find(const Parameter* parameter, Index& next) const {
  const auto count = static_cast<Index>(parameters_.size());
  if (repeats_ || next >= count || parameters_[static_cast<std::size_t>(next)] != parameter) {
    const Index found = std::find(parameters_.begin(), parameters_.end(), parameter) - parameters_.begin();
    if (found == count) return -1;
    next = found;
  }
  return next++;
}

bool Optimizer::knows_all(const Gradients& gradients) const {
  held();
  Index next = 0;
  const auto knows = [&](const auto& entry) { return find(entry.parameter, next) >= 0; };
  return std::all_of(gradients.entries().begin(), gradients.entries().end(), knows) &&
         std::all_of(gradients.updates().begin(), gradients.updates().end(), knows);
}

void Optimizer::check_state(std::size_t parameter) const {
  const Shape& shape = parameters_[parameter]->shape();
  const auto slots = static_cast<std::size_t>(slots_);
  for (std::size_t k = parameter * slots; k < (parameter + 1) * slots; ++k) {
    require<StateError>(state_[k].shape() == shape, "optimizer: a parameter now has shape {}; its state has shape {}",
                        shape, state_[k].shape());
  }
}

void Optimizer::check(const Gradients& gradients) const {
  Index next = 0;
  for (const Gradients::Entry& entry : gradients.entries()) {
    const Index at = find(entry.parameter, next);
    if (at < 0) continue;
    const Shape& shape = entry.parameter->shape();
    require<StateError>(entry.gradient.shape() == shape,
                        "optimizer: a parameter now has shape {}; its gradient has shape {}", shape,
                        entry.gradient.shape());
    check_state(static_cast<std::size_t>(at));
  }
  for (const Gradients::Update& update : gradients.updates()) {
    require<StateError>(find(update.parameter, next) < 0 || update.value.shape() == update.parameter->shape(),
                        "optimizer: a parameter now has shape {}; its update has shape {}", update.parameter->shape(),
                        update.value.shape());
  }
  for (std::size_t i = 0; rule_.extras().use_ema && i < parameters_.size(); ++i) check_state(i);
}

Optimizer Optimizer::rebound(const NamedParameters& parameters) const {
  held();
  require(parameters.size() == parameters_.size(), "optimizer: {} parameters given; it was created for {}",
          parameters.size(), parameters_.size());
  require_alive();
  Optimizer result = *this;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    require(parameters[i].parameter->shape() == parameters_[i]->shape(),
            "optimizer: {} is {}; the parameter it was created for is {}", parameters[i].name,
            parameters[i].parameter->shape(), parameters_[i]->shape());
    result.keep(i, parameters[i]);
  }
  return result;
}

}  // namespace cornu
