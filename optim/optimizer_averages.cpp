#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/optim/optimizer.h"

namespace cornu {

void Optimizer::move_averages() {
  const OptimizerExtras& extras = rule_.extras();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    // The average of a frozen parameter equals its value, so averaging restarts there when it is unfrozen.
    const bool follows = iterations_ == 0 || !parameters_[i]->learns();
    detail::move_average(average(i), parameters_[i]->value, follows ? 0 : extras.ema_momentum);
  }
  if (extras.ema_overwrite_frequency > 0 && (iterations_ + 1) % extras.ema_overwrite_frequency == 0) {
    overwrite_with_averages();
  }
}

template <class F>
void Optimizer::for_each_average(F f) {
  require<StateError>(rule_.extras().use_ema, "optimizer: there are no averages of the weights; set use_ema");
  require_alive();
  for (std::size_t i = 0; i < parameters_.size(); ++i) check_state(i);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    auto any = static_cast<Index>(i);
    if (parameters_[i]->learns() && find(parameters_[i], any) == static_cast<Index>(i)) {
      f(parameters_[i]->value, average(i));
    }
  }
}

void Optimizer::swap_averages() {
  for_each_average([&](View w, View average) {
    if (iterations_ > 0) std::swap_ranges(w.begin(), w.end(), average.begin());
  });
}

void Optimizer::overwrite_with_averages() {
  for_each_average([&](View w, View average) {
    if (iterations_ > 0) copy(average, overwrite(w));
  });
}

AveragedWeights::AveragedWeights(Optimizer& optimizer) : optimizer_(optimizer), lifetime_(optimizer.lifetime_.watch()) {
  optimizer_.swap_averages();
}

AveragedWeights::~AveragedWeights() {
  if (lifetime_.expired()) return;
  try {
    optimizer_.swap_averages();
  } catch (const StateError&) {  // the parameters are gone or have other shapes
  }
}

}  // namespace cornu
