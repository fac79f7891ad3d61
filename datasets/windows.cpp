#include "cornu/datasets/windows.h"

#include <algorithm>
#include <array>
#include <string>

#include "cornu/core/error.h"
#include "cornu/datasets/csv/reader.h"

namespace cornu {

namespace {

/// The index of a column to predict among `width` columns. `table`: the series, if its columns have names.
Index position_of(const CsvColumn& column, Index width, const CsvDataset* table) {
  if (const auto* const index = std::get_if<Index>(&column)) {
    const Index position = *index < 0 ? *index + width : *index;
    require<ValueError>(position >= 0 && position < width,
                        "windows: there is no column {} (.targets); the series has columns 0 to {}", *index, width - 1);
    return position;
  }
  require<ValueError>(table != nullptr,
                      "windows: the target {} is a name, but only the columns of a CsvDataset have names; use the "
                      "index of the column",
                      detail::shown(column));
  const std::vector<std::string>& names = table->feature_names();
  const auto found = std::find(names.begin(), names.end(), std::get<std::string>(column));
  const bool is_target = table->has_target() && table->target_name() == std::get<std::string>(column);
  require<ValueError>(
      found != names.end(), "windows: there is no feature {} (.targets); there are: {}{}", detail::shown(column),
      detail::some_of(names),
      is_target ? "; it is the target that read_csv has set apart, which is predicted without .targets" : "");
  return found - names.begin();
}

}  // namespace

Windows::Windows(ConstView series, const WindowOptions& options) : series_(series) {
  require(series.shape().rank() > 0, "windows: the series is {}; (steps, features...) is required", series.shape());
  set(options, series.shape()[0], series.shape().sub(1), {0}, nullptr);
}

Windows::Windows(DatasetRef series, const WindowOptions& options) : dataset_(series) {
  set(options, series.size(), series.feature_shape(), series.target_shape(), nullptr);
}

Windows::Windows(const CsvDataset& series, const WindowOptions& options) : dataset_(series) {
  set(options, series.size(), series.feature_shape(), series.target_shape(), &series);
}

/// step, own_targets: the shapes of the features and the targets of one step of the series.
void Windows::set(const WindowOptions& options, Index steps, const Shape& step, const Shape& own_targets,
                  const CsvDataset* table) {
  const auto at_least = [](const char* option, Index value, Index least) {
    require<ValueError>(value >= least, "windows: {} is {}; it must be at least {}", option, value, least);
  };
  at_least("length", options.length, 1);
  at_least("stride", options.stride, 1);
  at_least("sampling_rate", options.sampling_rate, 1);
  at_least("target_length", options.target_length.value_or(1), 0);
  length_ = options.length;
  stride_ = options.stride;
  sampling_rate_ = options.sampling_rate;
  target_count_ = options.target_length.value_or(1);

  predicts_own_targets_ = options.targets.empty() && own_targets.size() > 0;
  require(options.targets.empty() || step.rank() == 1,
          "windows: .targets are columns of a series of shape (steps, features), but a step of this one is {}", step);
  for (const CsvColumn& column : options.targets) columns_.push_back(position_of(column, step[0], table));
  const Shape target = predicts_own_targets_ ? own_targets : columns_.empty() ? step : Shape{std::ssize(columns_)};

  const Index horizon = target_count_ == 0 ? 0 : options.horizon;
  if (target_count_ > 0 && !predicts_own_targets_) {
    require<ValueError>(horizon >= 1,
                        "windows: horizon is {}; it must be at least 1, because a target within the window is known",
                        horizon);
  }
  at_least("horizon", horizon, 0);
  // Written so that no product overflows.
  const bool fits =
      length_ - 1 <= (steps - 1) / sampling_rate_ && steps > 0 && horizon <= steps - 1 - (length_ - 1) * sampling_rate_;
  require<ValueError>(fits, "windows: a window of {} steps{} and a horizon of {} do not fit a series of {} steps",
                      length_, sampling_rate_ == 1 ? "" : message(" with sampling_rate {}", sampling_rate_), horizon,
                      steps);
  const Index last = (length_ - 1) * sampling_rate_, most_targets = length_ + horizon / sampling_rate_;
  require<ValueError>(target_count_ <= most_targets,
                      "windows: target_length is {}; with more than {}, targets would precede the window",
                      target_count_, most_targets);
  features_ = step.batched(length_);
  targets_ = options.target_length ? target.batched(target_count_) : target;
  first_target_ = target_count_ == 0 ? 0 : last + horizon - (target_count_ - 1) * sampling_rate_;
  size_ = (steps - 1 - last - horizon) / stride_ + 1;
  split_gap_ = (last + horizon) / stride_;
}

void Windows::gather(std::span<const Index> rows, View x, View y) const {
  const Index x_size = features_.size(), y_size = targets_.size();
  detail::check_gather("Windows", rows, size_, x_size, y_size, x, y);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Real* const to_x = x.data() + static_cast<Index>(i) * x_size;
    Real* const to_y = y.data() + static_cast<Index>(i) * y_size;
    if (dataset_) {
      gather_from_dataset(rows[i] * stride_, to_x, to_y);
    } else {
      gather_from_tensor(rows[i] * stride_, to_x, to_y);
    }
  }
}

/// Copies the columns to predict from the features of one step.
void Windows::copy_targets(const Real* step, Real* y) const {
  if (columns_.empty()) std::copy_n(step, features_.size() / length_, y);
  for (const Index column : columns_) *y++ = step[column];
}

void Windows::gather_from_tensor(Index first, Real* x, Real* y) const {
  const Index width = features_.size() / length_;
  const Real* const window = series_.data() + first * width;
  if (sampling_rate_ == 1) {
    std::copy_n(window, length_ * width, x);
  } else {
    for (Index i = 0; i < length_; ++i) std::copy_n(window + i * sampling_rate_ * width, width, x + i * width);
  }
  const Index target_width = target_count_ == 0 ? 0 : targets_.size() / target_count_;
  for (Index i = 0; i < target_count_; ++i) {
    copy_targets(window + (first_target_ + i * sampling_rate_) * width, y + i * target_width);
  }
}

void Windows::gather_from_dataset(Index first, Real* x, Real* y) const {
  const Shape step = dataset_.feature_shape(), target = dataset_.target_shape();
  std::array<Index, 64> rows;
  std::array<Real, 1024> on_stack;
  std::vector<Real> on_heap;
  if (target.size() > std::ssize(on_stack)) on_heap.resize(static_cast<std::size_t>(target.size()));
  Real* const unread = on_heap.empty() ? on_stack.data() : on_heap.data();  // receives targets that nobody reads
  const Index most = std::clamp(std::ssize(on_stack) / std::max(target.size(), Index{1}), Index{1}, std::ssize(rows));

  const auto read = [&](Index from, Index count, Real* to_x, Real* to_y) {
    for (Index i = 0; i < count; ++i) rows[static_cast<std::size_t>(i)] = first + from + i * sampling_rate_;
    dataset_.gather({rows.data(), static_cast<std::size_t>(count)}, View(to_x, step.batched(count)),
                    View(to_y, target.batched(count)));
  };
  // The targets first: x has room for the features of their steps.
  const Index target_width = target_count_ == 0 ? 0 : targets_.size() / target_count_;
  for (Index done = 0; done < target_count_;) {
    const Index count = std::min({target_count_ - done, length_, most});
    read(first_target_ + done * sampling_rate_, count, x, predicts_own_targets_ ? y + done * target_width : unread);
    for (Index i = 0; i < count && !predicts_own_targets_; ++i) {
      copy_targets(x + i * step.size(), y + (done + i) * target_width);
    }
    done += count;
  }
  for (Index done = 0; done < length_;) {
    const Index count = std::min(length_ - done, most);
    read(done * sampling_rate_, count, x + done * step.size(), unread);
    done += count;
  }
}

}  // namespace cornu
