#pragma once

#include <string>
#include <vector>

#include "cornu/layers/registry.h"
#include "cornu/models/metrics/registry.h"
#include "cornu/optim/registry.h"

namespace cornu::testing {

// The names of Cornu's own types, read before any test registers another.
inline const std::vector<std::string> registered_layers = detail::layer_registry().names();
inline const std::vector<std::string> registered_activations = detail::activation_registry().names();
inline const std::vector<std::string> registered_optimizers = detail::optimizer_registry().names();
inline const std::vector<std::string> registered_losses = detail::loss_registry().names();
inline const std::vector<std::string> registered_metrics = detail::metric_registry().names();

/// The registered thing of that name with its default options.
template <class Any>
Any with_defaults(const detail::Registry<Any>& registry, const std::string& name) {
  Json json;
  json.set("class_name", name);
  json.set("config", Json::Object{});
  return registry.make(json);
}

}  // namespace cornu::testing
