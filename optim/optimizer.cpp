#include "cornu/optim/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"

namespace cornu {

namespace {

constexpr std::size_t most_slots = 8;

/// The Euclidean norm, summed in double.
double squared_norm(const View& x) {
  double sum = 0;
  for (const Real value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

void scale(const View& x, double factor) {
  for (Real& value : x) value *= static_cast<Real>(factor);
}

}  // namespace

void AnyOptimizer::check() const {
  const auto [weight_decay, clipnorm, clipvalue, global_clipnorm] = options_;
  require<ValueError>(learning_rate_.is_schedule() || learning_rate_.at(0) >= 0,
                      "optimizer: learning_rate is {}; it must not be negative", learning_rate_.at(0));
  require<ValueError>(weight_decay >= 0, "optimizer: weight_decay is {}; it must not be negative", weight_decay);
  require<ValueError>(clipnorm >= 0, "optimizer: clipnorm is {}; it must not be negative", clipnorm);
  require<ValueError>(clipvalue >= 0, "optimizer: clipvalue is {}; it must not be negative", clipvalue);
  require<ValueError>(global_clipnorm >= 0, "optimizer: global_clipnorm is {}; it must not be negative",
                      global_clipnorm);
  require<ValueError>((clipnorm > 0) + (clipvalue > 0) + (global_clipnorm > 0) <= 1,
                      "optimizer: clipnorm {}, clipvalue {} and global_clipnorm {}; only one can be given", clipnorm,
                      clipvalue, global_clipnorm);
  require<ValueError>(slots() >= 0 && slots() <= static_cast<Index>(most_slots),
                      "optimizer: {} slots a parameter; from 0 to {} are possible", slots(), most_slots);
}

Optimizer::Optimizer(AnyOptimizer rule, const NamedParameters& parameters)
    : rule_(std::move(rule)), slots_(rule_.slots()) {
  for (const NamedParameter& named : parameters) {
    parameters_.push_back(named.parameter);
    std::array<View, most_slots> slots;
    state_.reserve(state_.size() + static_cast<std::size_t>(slots_));
    for (std::size_t k = 0; k < static_cast<std::size_t>(slots_); ++k) {
      slots[k] = state_.emplace_back(named.parameter->shape());
    }
    rule_.begin({slots.data(), static_cast<std::size_t>(slots_)});
  }
}

Index Optimizer::find(const Parameter* parameter, Index guess) const {
  const auto count = static_cast<Index>(parameters_.size());
  if (guess < count && parameters_[static_cast<std::size_t>(guess)] == parameter) return guess;
  return std::find(parameters_.begin(), parameters_.end(), parameter) - parameters_.begin();
}

bool Optimizer::knows_all(const Gradients& gradients) const {
  Index guess = 0;
  return std::all_of(gradients.entries().begin(), gradients.entries().end(), [&](const Gradients::Entry& entry) {
    return find(entry.parameter, guess++) < static_cast<Index>(parameters_.size());
  });
}

void Optimizer::step(const Gradients& gradients) {
  const auto& options = rule_.options();
  const Step step{.iteration = iterations_, .learning_rate = learning_rate()};
  if (options.global_clipnorm > 0) {
    double sum = 0;
    for (const Gradients::Entry& entry : gradients.entries()) sum += squared_norm(entry.gradient);
    const double norm = std::sqrt(sum);
    if (norm > options.global_clipnorm) {
      for (const Gradients::Entry& entry : gradients.entries()) scale(entry.gradient, options.global_clipnorm / norm);
    }
  }

  Index guess = 0;
  for (const Gradients::Entry& entry : gradients.entries()) {
    const Index at = find(entry.parameter, guess++);
    if (at == static_cast<Index>(parameters_.size())) continue;
    Tensor& value = parameters_[static_cast<std::size_t>(at)]->value;
    std::array<View, most_slots> slots;
    for (Index k = 0; k < slots_; ++k) {
      Tensor& slot = state_[static_cast<std::size_t>(at * slots_ + k)];
      require<StateError>(slot.shape() == value.shape(),
                          "optimizer: a parameter is now of shape {}; its state was made for {}", value.shape(),
                          slot.shape());
      slots[static_cast<std::size_t>(k)] = slot;
    }
    if (options.clipnorm > 0) {
      const double norm = std::sqrt(squared_norm(entry.gradient));
      if (norm > options.clipnorm) scale(entry.gradient, options.clipnorm / norm);
    } else if (options.clipvalue > 0) {
      const auto limit = static_cast<Real>(options.clipvalue);
      for (Real& g : entry.gradient) g = g > limit ? limit : g < -limit ? -limit : g;
    }
    if (options.weight_decay > 0) scale(value, 1 - step.learning_rate * options.weight_decay);
    rule_.update(value, entry.gradient, {slots.data(), static_cast<std::size_t>(slots_)}, step);
  }

  for (const Gradients::Update& update : gradients.updates()) {
    const Index at = find(update.parameter, guess);
    if (at == static_cast<Index>(parameters_.size())) continue;
    copy(update.value, overwrite(parameters_[static_cast<std::size_t>(at)]->value));
  }
  ++iterations_;
}

Optimizer Optimizer::rebound(const NamedParameters& parameters) const {
  require(parameters.size() == parameters_.size(), "optimizer: {} parameters came for the {} it was made for",
          parameters.size(), parameters_.size());
  Optimizer result = *this;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    require(parameters[i].parameter->shape() == parameters_[i]->shape(),
            "optimizer: {} is {}, the parameter that it was made for is {}", parameters[i].name,
            parameters[i].parameter->shape(), parameters_[i]->shape());
    result.parameters_[i] = parameters[i].parameter;
  }
  return result;
}

}  // namespace cornu
