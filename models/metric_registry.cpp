#include "cornu/models/metric_registry.h"

#include "cornu/models/auc.h"
#include "cornu/models/mean_iou.h"
#include "cornu/models/metrics.h"
#include "cornu/models/regression_metrics.h"
#include "cornu/optim/registry.h"

namespace cornu {

namespace detail {

Registry<AnyMetric>& metric_registry() {
  static Registry<AnyMetric> registry("metric", "register_metric");
  static const bool filled = [] {
    registry.add<Accuracy>();
    registry.add<AUC>();
    registry.add<BinaryAccuracy>();
    registry.add<CategoricalAccuracy>();
    registry.add<F1Score>();
    registry.add<MeanIoU>("MeanIoU", [] { return MeanIoU{.num_classes = 1}; });
    registry.add<Precision>();
    registry.add<R2Score>();
    registry.add<Recall>();
    registry.add<RootMeanSquaredError>();
    registry.add<SparseCategoricalAccuracy>();
    registry.add<TopKAccuracy>();
    return true;
  }();
  static_cast<void>(filled);
  return registry;
}

}  // namespace detail

void to_json(Json& json, const AnyMetric& metric) {
  if (const auto* by_loss = metric.as<LossMetric>()) {
    json = detail::loss_registry().describe(by_loss->loss(), "the metric " + metric.name());
  } else {
    json = detail::metric_registry().describe(metric, "the metric " + metric.name());
  }
}

AnyMetric json_to(const Json& json, As<AnyMetric>) {
  const auto type = value_of<std::string>(json.at("class_name"));
  const bool is_loss = !detail::metric_registry().knows(type) && detail::loss_registry().knows(type);
  if (is_loss) return LossMetric(snake_case(type), value_of<AnyLoss>(json));
  return detail::metric_registry().make(json);
}

}  // namespace cornu
