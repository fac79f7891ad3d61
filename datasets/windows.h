#pragma once

#include <concepts>
#include <optional>
#include <utility>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/csv/csv.h"
#include "cornu/datasets/dataset.h"

namespace cornu {

/// Which steps of a series form a sample. Window i starts at step i * stride of the series and has the steps start,
/// start + sampling_rate, ..., `last`. All distances are in steps of the series.
struct WindowOptions {
  Index length;             ///< steps in a window
  Index stride = 1;         ///< distance between the starts of successive windows
  Index sampling_rate = 1;  ///< distance between successive steps of a window
  Index horizon = 1;        ///< distance from the window's last step to the last target; 1: the next step
  /// The columns to predict, by index, or by name if the series is a CsvDataset. Default: the targets of the dataset,
  /// or all columns if the series has no targets.
  std::vector<CsvColumn> targets{};
  /// The number of target steps. They are `sampling_rate` apart, and the last is at the horizon. Default: that step
  /// alone, without an axis for steps. `length` with a horizon of 1: the next value after each step, for models that
  /// return sequences. 0: no targets, for predictions to the end of the series.
  std::optional<Index> target_length{};
};

/// A dataset of windows of a series, without copying the series: `gather` reads a batch from it.
/// x: (length, features...). y: (targets...), the targets of the step `horizon` steps after the window, or
/// (target_length, targets...).
///
///     const Tensor series = ...;                                         // (1000, 3)
///     const Windows next(series, {.length = 40});                        // x: (40, 3), y: (3)
///     const Windows day(series, {.length = 40, .horizon = 24, .targets = {0}, .target_length = 24});  // y: (24, 1)
///     const auto [train, validation] = split(day, 0.2);                  // in time; no step is in both
///
/// The series must outlive the windows. If its steps have at most 1024 target elements, gather allocates nothing.
class Windows {
 public:
  /// A tensor, (steps, features...), or (steps) for a series of single values: x is then (length).
  /// Throws ShapeError for a scalar, and for targets by column unless the series is (steps, features); ValueError for
  /// options out of range, an unknown column, and a series that is shorter than a window and its horizon.
  Windows(ConstView series, const WindowOptions& options);
  /// Any dataset whose samples are the steps, in order. A horizon of 0 predicts the dataset's targets at the window's
  /// last step; other targets would be part of the window.
  Windows(DatasetRef series, const WindowOptions& options);
  /// A table, whose columns have names.
  Windows(const CsvDataset& series, const WindowOptions& options);
  // Give the series a name: a temporary would be destroyed before it is read.
  Windows(const Tensor&& series, const WindowOptions& options) = delete;
  Windows(const CsvDataset&& series, const WindowOptions& options) = delete;

  Index size() const { return size_; }
  Shape feature_shape() const { return features_; }
  Shape target_shape() const { return targets_; }
  /// The number of windows after a window that share a step with it or with its targets.
  Index split_gap() const { return split_gap_; }
  /// Throws ValueError, naming row and size, for a row out of range, ShapeError if x or y has the wrong size, and
  /// whatever the dataset throws.
  void gather(std::span<const Index> rows, View x, View y) const;

 private:
  void set(const WindowOptions& options, Index steps, const Shape& step, const Shape& own_targets,
           const CsvDataset* table);
  void gather_from_tensor(Index first, Real* x, Real* y) const;
  void gather_from_dataset(Index first, Real* x, Real* y) const;
  void copy_targets(const Real* step, Real* y) const;

  ConstView series_;    // if it is a tensor
  DatasetRef dataset_;  // if it is not
  Index length_ = 0, stride_ = 1, sampling_rate_ = 1;
  Index first_target_ = 0, target_count_ = 0;  // from the window's first step
  bool predicts_own_targets_ = false;          // those of the dataset
  std::vector<Index> columns_;                 // to predict; empty: all
  Shape features_, targets_;
  Index size_ = 0, split_gap_ = 0;
};

/// `Windows(series, options)`, as a function.
template <class Series>
requires std::constructible_from<Windows, Series, const WindowOptions&> Windows windows(Series&& series,
                                                                                        const WindowOptions& options) {
  return Windows(std::forward<Series>(series), options);
}

}  // namespace cornu
