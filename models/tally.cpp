#include "cornu/models/tally.h"

#include <algorithm>
#include <limits>

#include "cornu/core/error.h"

namespace cornu {

Tally::Tally(const std::vector<AnyMetric>& metrics) : metrics_(metrics) {
  const auto taken = [&](const std::string& name) {
    return name == "loss" || std::find(names_.begin(), names_.end(), name) != names_.end();
  };
  for (const AnyMetric& metric : metrics_) {
    std::string name = metric.name();
    for (int number = 1; taken(name); ++number) name = metric.name() + "_" + std::to_string(number);
    names_.push_back(std::move(name));
  }
  reset();
}

void Tally::reset() {
  loss_total_ = 0;
  samples_ = 0;
  for (AnyMetric& metric : metrics_) metric.reset();
}

void Tally::add(double loss, ConstView y_true, ConstView y_pred) {
  const Index samples = y_pred.shape()[0];
  loss_total_ += loss * static_cast<double>(samples);
  samples_ += samples;
  for (AnyMetric& metric : metrics_) metric.update(y_true, y_pred);
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

void Tally::state(OptionVisitor& visit) {
  visit("loss_total", loss_total_);
  visit("samples", samples_);
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    visit.within(names_[i].c_str(), [&](OptionVisitor& inner) {
      require<StateError>(metrics_[i].state(inner),
                          "the metric {} does not say what it has gathered; with `void state(auto& visit)` it would",
                          names_[i]);
    });
  }
}

void require_sample_weight(ConstView sample_weight, Index samples) {
  require(sample_weight.size() == 0 || sample_weight.shape() == Shape{samples},
          "sample_weight is {}; one weight for each of {} samples is required", sample_weight.shape(), samples);
}

ConstView BatchWeights::of(std::span<const Index> rows, const Tensor& y, Tensor& memory) const {
  if (sample_weight_.size() == 0 && class_weight_.empty()) return {};
  memory.resize(Shape{std::ssize(rows)});
  for (Index i = 0; i < memory.size(); ++i) {
    const Real own = sample_weight_.size() == 0 ? Real{1} : sample_weight_[rows[static_cast<std::size_t>(i)]];
    memory[i] = own * static_cast<Real>(class_weight_.empty() ? 1.0 : class_weight_of(y, i));
  }
  return memory;
}

double BatchWeights::class_weight_of(const Tensor& y, Index i) const {
  const Index width = y.shape().sub(1).size();
  const Real* const truth = y.data() + i * width;
  // A number, not an Index: a label may be anything, and it is for the loss to refuse it.
  const auto label =
      width == 1 ? static_cast<double>(*truth) : static_cast<double>(std::max_element(truth, truth + width) - truth);
  const auto found = std::find_if(class_weight_.begin(), class_weight_.end(),
                                  [=](const auto& entry) { return static_cast<double>(entry.first) == label; });
  return found == class_weight_.end() ? 1 : found->second;
}

}  // namespace cornu
