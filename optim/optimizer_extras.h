#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/parameter.h"

namespace cornu {

/// Options that concern the model as a whole and work with any rule: `{Adam{}, {.use_ema = true}}`.
///
/// Names match layers or parameters: "dense" matches dense/kernel and dense/bias (not dense_1/kernel), "bias" every
/// bias, "dense/bias" only this one. The optimizer throws ValueError for a name that matches nothing.
struct OptimizerExtras {
  std::vector<std::string> exclude_from_weight_decay{};
  /// Factors of the learning rate, by name; if several names match, their product applies. With 0 the parameters do not
  /// change, but freeze(layer) also saves computing their gradients.
  std::map<std::string, double> learning_rate_multipliers{};

  /// Keep an exponential moving average of every parameter: after each step, average = ema_momentum average +
  /// (1 - ema_momentum) w; after the first, average = w. See Optimizer::swap_averages and AveragedWeights.
  bool use_ema = false;
  double ema_momentum = 0.99;
  Index ema_overwrite_frequency = 0;  ///< copy the averages into the weights every this many steps; 0: never

  void options(auto& visit) {
    visit("exclude_from_weight_decay", exclude_from_weight_decay);
    visit("learning_rate_multipliers", learning_rate_multipliers);
    visit("use_ema", use_ema);
    visit("ema_momentum", ema_momentum);
    visit("ema_overwrite_frequency", ema_overwrite_frequency);
  }
  /// Throws ValueError for options out of range.
  void check() const;
};

namespace detail {

/// The extras as they apply to one parameter.
struct Treatment {
  double rate_factor = 1;
  bool decays = true;
};

/// The treatment of each parameter, in order. Throws ValueError for a name that matches nothing.
std::vector<Treatment> treatments(const OptimizerExtras& extras, const NamedParameters& parameters);

/// average = momentum average + (1 - momentum) w, computed so that an average equal to w stays exactly equal.
void move_average(View average, ConstView w, double momentum);

}  // namespace detail
}  // namespace cornu
