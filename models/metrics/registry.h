#pragma once

#include "cornu/core/options/registry.h"
#include "cornu/models/metrics/metric.h"

/// The names of metrics in files. Cornu's metrics are registered, and its losses as metrics. Register your own, as
/// layers are (layers/registry.h): `register_metric<LargestError>();`.
namespace cornu {

namespace detail {

Registry<AnyMetric>& metric_registry();

}  // namespace detail

template <Metric M>
requires std::default_initializable<M>
void register_metric(std::string name = std::string(detail::type_name<M>())) {
  detail::metric_registry().add<M>(std::move(name));
}

/// {"class_name": "Accuracy", "config": {}}
void to_json(Json& json, const AnyMetric& metric);
AnyMetric json_to(const Json& json, As<AnyMetric>);

}  // namespace cornu
