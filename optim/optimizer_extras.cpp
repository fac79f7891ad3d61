#include "cornu/optim/optimizer_extras.h"

#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/option_checks.h"
#include "cornu/core/text/listed.h"

namespace cornu {

void OptimizerExtras::check() const {
  for (const auto& [name, factor] : learning_rate_multipliers) {
    require<ValueError>(factor >= 0, "optimizer: learning_rate_multipliers gives {} for {}; it must not be negative",
                        factor, name);
  }
  detail::require_fraction("optimizer", "ema_momentum", ema_momentum);
  detail::require_not_negative("optimizer", "ema_overwrite_frequency", ema_overwrite_frequency);
  require<ValueError>(ema_overwrite_frequency == 0 || use_ema,
                      "optimizer: ema_overwrite_frequency is {}, but use_ema is not set", ema_overwrite_frequency);
}

namespace detail {

namespace {

/// True if the components of `name`, separated by slashes, are consecutive components of `path`.
bool contains(std::string_view path, std::string_view name) {
  return ("/" + std::string(path) + "/").find("/" + std::string(name) + "/") != std::string::npos;
}

/// Calls `treat` with the index of every parameter that matches the name.
template <class F>
void for_each_named(const char* option, const std::string& name, const NamedParameters& parameters, F treat) {
  bool found = false;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!contains(parameters[i].name, name)) continue;
    found = true;
    treat(i);
  }
  require<ValueError>(found,
                      "optimizer: {} names \"{}\", but no layer or parameter has this name; the parameters are {}",
                      option, name, detail::listed(parameters, &NamedParameter::name));
}

}  // namespace

std::vector<Treatment> treatments(const OptimizerExtras& extras, const NamedParameters& parameters) {
  std::vector<Treatment> result(parameters.size());
  for (const std::string& name : extras.exclude_from_weight_decay) {
    for_each_named("exclude_from_weight_decay", name, parameters, [&](std::size_t i) { result[i].decays = false; });
  }
  for (const auto& [name, factor] : extras.learning_rate_multipliers) {
    const double by = factor;
    for_each_named("learning_rate_multipliers", name, parameters, [&](std::size_t i) { result[i].rate_factor *= by; });
  }
  return result;
}

void move_average(View average, ConstView w, double momentum) {
  if (momentum == 0) {
    copy(w, overwrite(average));
    return;
  }
  const auto fresh = static_cast<Real>(1 - momentum);
  Real* const to = average.data();
  const Real* const from = w.data();
  vectorized([=, n = w.size()] {
    for (Index i = 0; i < n; ++i) to[i] += fresh * (from[i] - to[i]);
  });
}

}  // namespace detail
}  // namespace cornu
