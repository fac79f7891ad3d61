#include "cornu/datasets/subset.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/random.h"
#include "cornu/datasets/class_of_target.h"
#include "cornu/datasets/gather_mapped.h"

namespace cornu {

DatasetSubset::DatasetSubset(DatasetRef dataset, std::vector<Index> rows) : dataset_(dataset), rows_(std::move(rows)) {
  const Index size = dataset.size();
  for (const Index row : rows_) {
    require<ValueError>(row >= 0 && row < size, "DatasetSubset: row {} is out of range; the dataset has {} rows", row,
                        size);
  }
}

void DatasetSubset::gather(std::span<const Index> rows, View x, View y) const {
  const auto chosen = [this](Index row) { return rows_[static_cast<std::size_t>(row)]; };
  detail::gather_mapped("DatasetSubset", dataset_, rows, size(), chosen, x, y);
}

void DatasetSubset::prefetch(std::span<const Index> rows) const {
  detail::prefetch_mapped(dataset_, rows, size(), [this](Index row) { return rows_[static_cast<std::size_t>(row)]; });
}

TensorDataset gathered(DatasetRef dataset) {
  const Index size = dataset.size();
  Tensor x(dataset.feature_shape().batched(size)), y(dataset.target_shape().batched(size));
  std::vector<Index> rows(static_cast<std::size_t>(size));
  std::iota(rows.begin(), rows.end(), Index{0});
  dataset.gather(rows, x, y);
  return {std::move(x), std::move(y)};
}

namespace {

/// Finds the classes in a dataset's targets. Their values show whether the last axis holds one-hot rows or several
/// labels.
class TargetClasses {
 public:
  explicit TargetClasses(const Shape& target) : classes_(target.rank() == 0 ? 1 : target[-1]), labels_(target.size()) {}

  /// Adds more samples; the first one is row `first` of the dataset. Throws ValueError if the targets are neither
  /// labels nor one-hot rows.
  void add(ConstView y, Index first) {
    for (Index i = 0; i < y.size(); i += classes_) {
      const Real* const target = y.data() + i;
      is_one_hot_ = is_one_hot_ && classes_ > 1 && detail::is_distribution(target, classes_);
      if (is_one_hot_) one_hot_.push_back(position_of_max(target, classes_));
    }
    for (Index i = 0; i < y.size(); ++i) {
      constexpr Real most = 1 << 24;
      const bool is_class = y[i] >= 0 && y[i] < most && y[i] == std::floor(y[i]);
      are_labels_ = are_labels_ && is_class;
      require<ValueError>(are_labels_ || is_one_hot_,
                          "label {} in row {} is not a class; classes are whole numbers from 0 on{}", y[i],
                          first + i / labels_, classes_ > 1 ? ", or one-hot rows" : "");
      if (are_labels_) in_labels_.push_back(static_cast<Index>(y[i]));
    }
  }

  /// One class per label.
  const std::vector<Index>& classes() const { return is_one_hot_ ? one_hot_ : in_labels_; }

 private:
  Index classes_, labels_;  // columns per row, elements per sample
  bool is_one_hot_ = true, are_labels_ = true;
  std::vector<Index> one_hot_, in_labels_;
};

/// The classes of all samples, gathered in small batches.
std::vector<Index> classes_of(DatasetRef dataset) {
  constexpr Index at_a_time = 256;
  const Index size = dataset.size();
  TargetClasses classes(dataset.target_shape());
  std::vector<Index> rows(static_cast<std::size_t>(size));
  std::iota(rows.begin(), rows.end(), Index{0});
  Tensor x, y;
  for (Index first = 0; first < size; first += at_a_time) {
    const Index count = std::min(at_a_time, size - first);
    x.resize(dataset.feature_shape().batched(count));
    y.resize(dataset.target_shape().batched(count));
    dataset.gather({rows.data() + first, static_cast<std::size_t>(count)}, x, y);
    classes.add(y, first);
  }
  return classes.classes();
}

std::map<Index, double> balanced(const std::vector<Index>& classes) {
  require<ValueError>(!classes.empty(), "balanced_class_weight: there are no samples");
  std::map<Index, double> weights;
  for (const Index c : classes) ++weights[c];
  const double total = static_cast<double>(classes.size()) / static_cast<double>(weights.size());
  for (auto& [c, weight] : weights) weight = total / weight;
  return weights;
}

/// The number of samples of each class to keep for validation.
std::vector<std::size_t> kept(const std::vector<std::size_t>& counts, double fraction) {
  std::vector<std::size_t> result;
  std::vector<std::pair<double, std::size_t>> lacking;  // by how much each class falls short of its fraction
  double wanted = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const double share = fraction * static_cast<double>(counts[k]);
    const std::size_t most = counts[k] - 1, least = std::min(most, std::size_t{1});
    result.push_back(std::clamp(static_cast<std::size_t>(share), least, most));
    if (result.back() < most) lacking.emplace_back(share - static_cast<double>(result.back()), k);
    wanted += share;
  }
  const auto all = std::accumulate(result.begin(), result.end(), std::size_t{0});
  const auto more = static_cast<std::size_t>(std::max(std::round(wanted) - static_cast<double>(all), 0.0));
  std::stable_sort(lacking.begin(), lacking.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t i = 0; i < std::min(more, lacking.size()); ++i) {
    if (lacking[i].first > 0) ++result[lacking[i].second];
  }
  return result;
}

}  // namespace

StratifiedSplit stratified_split(DatasetRef dataset, double validation_fraction, std::uint64_t seed) {
  require<ValueError>(validation_fraction > 0 && validation_fraction < 1,
                      "stratified_split: validation_fraction is {}; it must lie between 0 and 1", validation_fraction);
  const std::vector<Index> classes = classes_of(dataset);
  require(std::ssize(classes) == dataset.size(),
          "stratified_split: targets of shape {} have {} labels for {} samples; one label per sample is required",
          dataset.target_shape(), classes.size(), dataset.size());
  std::map<Index, std::vector<Index>> rows_of;
  for (std::size_t row = 0; row < classes.size(); ++row) rows_of[classes[row]].push_back(static_cast<Index>(row));
  std::vector<std::size_t> counts;
  for (const auto& [c, rows] : rows_of) counts.push_back(rows.size());
  const std::vector<std::size_t> validation_counts = kept(counts, validation_fraction);

  std::vector<Index> train, validation;
  std::size_t k = 0;
  for (auto& [c, rows] : rows_of) {
    Rng(seed, static_cast<std::uint64_t>(c)).shuffle(rows);
    const auto middle = rows.begin() + static_cast<Index>(validation_counts[k++]);
    validation.insert(validation.end(), rows.begin(), middle);
    train.insert(train.end(), middle, rows.end());
  }
  std::sort(train.begin(), train.end());
  std::sort(validation.begin(), validation.end());
  require<ValueError>(!train.empty() && !validation.empty(),
                      "stratified_split: of {} samples in {} classes, {} are left for training and {} for validation; "
                      "both need samples",
                      classes.size(), counts.size(), train.size(), validation.size());
  return {.train{dataset, std::move(train)}, .validation{dataset, std::move(validation)}};
}

std::map<Index, double> balanced_class_weight(DatasetRef dataset) { return balanced(classes_of(dataset)); }

std::map<Index, double> balanced_class_weight(const Tensor& y) {
  if (y.empty()) return balanced({});
  TargetClasses classes(y.shape().sub(1));
  classes.add(y, 0);
  return balanced(classes.classes());
}

}  // namespace cornu
