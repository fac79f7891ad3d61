#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/parameter.h"

namespace cornu {

/// What concerns the model as a whole, and so is given beside a rule, any rule: `{Adam{}, {.use_ema = true}}`.
///
/// A name is that of a layer or of a parameter: "dense" names dense/kernel and dense/bias (not dense_1/kernel), "bias"
/// every bias, "dense/bias" this one. The optimizer throws ValueError for a name that no parameter has.
struct OptimizerExtras {
  std::vector<std::string> exclude_from_weight_decay{};
  /// The learning rate of what is named is multiplied by this; by the product where several names fit. 0 keeps the
  /// parameters as they are, but freeze(layer) saves their gradients, too.
  std::map<std::string, double> learning_rate_multipliers{};

  /// Keep an exponential moving average of every parameter, average = ema_momentum average + (1 - ema_momentum) w after
  /// each step; after the first it is w. Optimizer::swap_averages and AveragedWeights say how to use it.
  bool use_ema = false;
  double ema_momentum = 0.99;
  Index ema_overwrite_frequency = 0;  ///< every so many steps the averages become the weights; 0: never

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

/// What is particular to one parameter.
struct Treatment {
  double rate_factor = 1;
  bool decays = true;
};

/// In the order of the parameters.
std::vector<Treatment> treatments(const OptimizerExtras& extras, const NamedParameters& parameters);

/// average = momentum average + (1 - momentum) w. Where average and w are equal it stays exactly so.
void move_average(View average, ConstView w, double momentum);

}  // namespace detail
}  // namespace cornu
