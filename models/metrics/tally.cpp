#include "cornu/models/metrics/tally.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "cornu/core/error.h"
#include "cornu/models/metrics/probabilities.h"

namespace cornu::detail {

Tally::Tally(const std::vector<AnyMetric>& metrics, const std::vector<AnyMetric>& weighted_metrics, Logits logits)
    : metrics_(metrics), unweighted_(metrics.size()), logits_(logits) {
  metrics_.insert(metrics_.end(), weighted_metrics.begin(), weighted_metrics.end());
  const auto taken = [&](const std::string& name) {
    return name == "loss" || std::find(names_.begin(), names_.end(), name) != names_.end();
  };
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    std::string base = metrics_[i].name();
    if (i >= unweighted_ && taken(base)) base.insert(0, "weighted_");
    std::string name = base;
    for (int number = 1; taken(name); ++number) name = base + "_" + std::to_string(number);
    names_.push_back(std::move(name));
  }
  reset();
}

void Tally::reset() {
  loss_total_ = 0;
  samples_ = 0;
  for (AnyMetric& metric : metrics_) metric.reset();
}

void Tally::require_logits(Var y_pred) const {
  for (const AnyMetric& metric : metrics_) {
    const auto* const by_loss = metric.as<LossMetric>();
    if (by_loss == nullptr) continue;
    const Logits logits = by_loss->loss().logits();
    if (logits != Logits::sigmoid && logits != Logits::softmax) continue;
    require<ValueError>(
        !y_pred.sigmoid_logits() && !y_pred.softmax_logits(),
        "the metric {} has from_logits = true, but the outputs are those of a sigmoid or softmax; remove from_logits",
        metric.name());
  }
}

void Tally::add(double loss, Index samples, ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  loss_total_ += loss * static_cast<double>(samples);
  samples_ += samples;
  if (y_pred.shape()[0] == 0) return;
  const Index outputs = y_pred.shape().rank() > 1 ? y_pred.shape()[-1] : 1;
  std::optional<ConstView> probabilities;  // computed when the first metric needs them
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    AnyMetric& metric = metrics_[i];
    const ConstView weights = i < unweighted_ ? ConstView() : sample_weight;
    if (metric.reads_logits(logits_, outputs)) {
      metric.update(y_true, y_pred, weights);
    } else {
      if (!probabilities) probabilities = detail::probabilities(logits_, y_pred, probabilities_);
      metric.update(y_true, *probabilities, weights);
    }
  }
}

void Tally::write(Logs& logs, bool end) const {
  logs.set("loss",
           samples_ == 0 ? std::numeric_limits<double>::quiet_NaN() : loss_total_ / static_cast<double>(samples_));
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    if (end || !metrics_[i].costly()) logs.set(names_[i], metrics_[i].result());
  }
}

std::vector<std::string> Tally::names() const {
  std::vector<std::string> names{"loss"};
  names.insert(names.end(), names_.begin(), names_.end());
  return names;
}

std::vector<Direction> Tally::directions() const {
  std::vector<Direction> directions{Direction::down};
  for (const AnyMetric& metric : metrics_) directions.push_back(metric.direction());
  return directions;
}

void Tally::state(OptionVisitor& visit) {
  visit("loss_total", loss_total_);
  visit("samples", samples_);
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    visit.within(names_[i].c_str(), [&](OptionVisitor& inner) {
      require<StateError>(metrics_[i].state(inner),
                          "the metric {} cannot be saved, because it has no `void state(auto& visit)`", names_[i]);
    });
  }
}

}  // namespace cornu::detail
