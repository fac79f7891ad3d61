#include "cornu/models/metrics/registry.h"

#include "cornu/models/metrics/auc.h"
#include "cornu/models/metrics/mean_iou.h"
#include "cornu/models/metrics/metrics.h"
#include "cornu/models/metrics/regression_metrics.h"
#include "cornu/optim/registry.h"

namespace cornu {

namespace detail {

Registry<AnyMetric>& metric_registry() {
  static Registry<AnyMetric> registry("metric", "register_metric", [](Registry<AnyMetric>& own) {
    own.add_all<Accuracy, AUC, BinaryAccuracy, CategoricalAccuracy, F1Score, Precision, R2Score, Recall,
                RootMeanSquaredError, SparseCategoricalAccuracy, TopKAccuracy>();
    own.add<MeanIoU>("MeanIoU", [] { return MeanIoU{.num_classes = 1}; });
  });
  return registry;
}

}  // namespace detail

void to_json(Json& json, const AnyMetric& metric) {
  if (const auto* by_loss = metric.as<LossMetric>()) {
    json = detail::loss_registry().describe(by_loss->loss(), "the metric " + metric.name());
    const bool is_given = by_loss->direction != by_loss->loss().direction();
    if (is_given) json.set("direction", by_loss->direction == Direction::up ? "up" : "down");
  } else {
    json = detail::metric_registry().describe(metric, "the metric " + metric.name());
  }
}

AnyMetric json_to(const Json& json, As<AnyMetric>) {
  const auto type = value_of<std::string>(json.at("class_name"));
  const bool is_loss = !detail::metric_registry().knows(type) && detail::loss_registry().knows(type);
  if (is_loss) {
    const auto loss = value_of<AnyLoss>(json);
    const Json* const declared = json.find("direction");
    if (declared == nullptr) return LossMetric(detail::snake_case(type), loss);
    const auto direction = value_of<std::string>(*declared);
    require<FormatError>(direction == "up" || direction == "down", "direction is \"{}\"; it must be up or down",
                         direction);
    return LossMetric(direction == "up" ? Direction::up : Direction::down, detail::snake_case(type), loss);
  }
  return detail::metric_registry().make(json);
}

}  // namespace cornu
