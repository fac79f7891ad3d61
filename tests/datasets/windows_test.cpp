#include "cornu/datasets/windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/random.h"
#include "cornu/datasets/batches.h"
#include "cornu/datasets/one_hot.h"
#include "cornu/datasets/prefetched.h"
#include "cornu/datasets/subset.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/tensors.h"

namespace cornu {
namespace {

using testing::counted;
using testing::error_of;

/// A series and windows of it, chosen at random. Element k of step t has the value t * width + k.
struct Case {
  Index steps, width, target_width;
  WindowOptions options;
  bool has_own_targets;

  explicit Case(Rng& rng)
      : steps(1 + rng.below(60)),
        width(1 + rng.below(4)),
        target_width(1 + rng.below(3)),
        options{.length = 1 + rng.below(8),
                .stride = 1 + rng.below(10),
                .sampling_rate = 1 + rng.below(3),
                .horizon = 1 + rng.below(8)},
        has_own_targets(rng.below(2) == 0) {
    if (has_own_targets && rng.below(3) == 0) options.horizon = 0;
    const Index most_targets = options.length + options.horizon / options.sampling_rate;
    if (rng.below(3) > 0) options.target_length = rng.below(most_targets + 1);
    if (!has_own_targets && rng.below(2) == 0) {
      for (Index i = 1 + rng.below(3); i > 0; --i) options.targets.emplace_back(rng.below(2 * width) - width);
    }
  }

  bool predicts() const { return options.target_length.value_or(1) > 0; }
  Index last() const { return (options.length - 1) * options.sampling_rate; }
  /// Steps from a window's first one to the last one that it or its targets use.
  Index reach() const { return last() + (predicts() ? options.horizon : 0) + 1; }
  /// The steps of the targets, relative to the window's first step.
  std::vector<Index> target_steps() const {
    std::vector<Index> result;
    for (Index i = 0; i < options.target_length.value_or(1); ++i) {
      result.insert(result.begin(), last() + options.horizon - i * options.sampling_rate);
    }
    return result;
  }
  bool fits() const { return reach() <= steps; }
  std::vector<Index> columns() const {
    std::vector<Index> result;
    for (const CsvColumn& column : options.targets) result.push_back((std::get<Index>(column) + width) % width);
    for (Index k = 0; k < width && options.targets.empty(); ++k) result.push_back(k);
    return result;
  }

  Tensor series() const { return counted({steps, width}); }
  Tensor own_targets() const { return counted({steps, target_width}, 10000); }

  /// All windows, by plain loops over the series.
  Tensor x() const {
    std::vector<Real> values;
    Index count = 0;
    for (Index first = 0; first + reach() <= steps; first += options.stride, ++count) {
      for (Index i = 0; i < options.length; ++i) {
        for (Index k = 0; k < width; ++k) {
          values.push_back(static_cast<Real>((first + i * options.sampling_rate) * width + k));
        }
      }
    }
    return Tensor({count, options.length, width}, values);
  }
  Tensor y() const {
    std::vector<Real> values;
    Index count = 0;
    for (Index first = 0; first + reach() <= steps; first += options.stride, ++count) {
      for (const Index step : target_steps()) {
        if (has_own_targets) {
          for (Index k = 0; k < target_width; ++k) {
            values.push_back(static_cast<Real>(10000 + (first + step) * target_width + k));
          }
        } else {
          for (const Index k : columns()) values.push_back(static_cast<Real>((first + step) * width + k));
        }
      }
    }
    Shape shape{has_own_targets ? target_width : std::ssize(columns())};
    if (options.target_length) shape = shape.batched(*options.target_length);
    return Tensor(shape.batched(count), values);
  }
};

/// Cases whose windows fit the series.
std::vector<Case> cases(int count) {
  Rng rng(7);
  std::vector<Case> result;
  while (std::ssize(result) < count) {
    const Case one(rng);
    if (one.fits()) result.push_back(one);
  }
  return result;
}

TEST(Windows, EqualNaiveSlicingForAnyOptions) {
  for (const Case& one : cases(400)) {
    SCOPED_TRACE(message("{} steps of {}, length {}, stride {}, sampling rate {}, horizon {}, targets {}, {} columns",
                         one.steps, one.width, one.options.length, one.options.stride, one.options.sampling_rate,
                         one.options.horizon, one.options.target_length.value_or(-1), one.options.targets.size()));
    const Tensor series = one.series();
    const TensorDataset dataset(series, one.own_targets()), without_targets(series, Tensor({one.steps, 0}));
    std::vector<Windows> all;
    all.push_back(windows(one.has_own_targets ? dataset : without_targets, one.options));
    if (!one.has_own_targets) all.emplace_back(series, one.options);
    for (const Windows& data : all) {
      ASSERT_EQ(data.size(), one.x().shape()[0]);
      const TensorDataset samples = gathered(data);
      ASSERT_EQ(samples.x(), one.x());
      ASSERT_EQ(samples.y(), one.y());
    }
  }
}

TEST(Windows, OfASeriesOfSingleValuesHaveNoAxisForFeatures) {
  const Tensor series = counted({6});
  const Windows next(series, {.length = 3}), each(series, {.length = 3, .stride = 2, .target_length = 3});
  EXPECT_EQ(gathered(next).x(), Tensor::matrix({{0, 1, 2}, {1, 2, 3}, {2, 3, 4}}));
  EXPECT_EQ(gathered(next).y(), Tensor::vector({3, 4, 5}));
  EXPECT_EQ(gathered(each).x(), Tensor::matrix({{0, 1, 2}, {2, 3, 4}}));
  EXPECT_EQ(gathered(each).y(), Tensor::matrix({{1, 2, 3}, {3, 4, 5}}));
}

TEST(Windows, OfImagesKeepTheirShape) {
  const Tensor series = counted({4, 2, 2});
  const Windows data(series, {.length = 2, .target_length = 1});
  EXPECT_EQ(data.feature_shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(data.target_shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(gathered(data).y(), Tensor({2, 1, 2, 2}, {8, 9, 10, 11, 12, 13, 14, 15}));
}

/// A film whose frames are images of several rows and channels, as a tensor and as a dataset: pixel by pixel.
TEST(Windows, OfAFilmHaveEveryPixelOfTheirFrames) {
  const Index height = 3, width = 2, channels = 2, frame = height * width * channels;
  const Tensor film = counted({9, height, width, channels}), labels = counted({9}, 100);
  const TensorDataset frames(film, Tensor({9, 0})), labelled(film, labels);
  const WindowOptions options{.length = 3, .stride = 2, .sampling_rate = 2, .horizon = 2, .target_length = 2};
  const Windows of_tensor(film, options), of_frames(frames, options), of_labelled(labelled, options);
  for (const Windows* const data : {&of_tensor, &of_frames, &of_labelled}) {
    ASSERT_EQ(data->size(), 2);  // frames 0, 2, 4 and 2, 4, 6; targets 4, 6 and 6, 8
    ASSERT_EQ(data->feature_shape(), (Shape{3, height, width, channels}));
    const TensorDataset samples = gathered(*data);
    for (Index i = 0; i < samples.x().size(); ++i) {
      const Index window = i / (3 * frame), step = i / frame % 3;
      ASSERT_EQ(samples.x()[i], static_cast<Real>((2 * window + 2 * step) * frame + i % frame)) << i;
    }
    if (data == &of_labelled) {
      EXPECT_EQ(samples.y(), Tensor::matrix({{104, 106}, {106, 108}}));
      continue;
    }
    ASSERT_EQ(data->target_shape(), (Shape{2, height, width, channels}));
    for (Index i = 0; i < samples.y().size(); ++i) {
      const Index window = i / (2 * frame), step = i / frame % 2;
      ASSERT_EQ(samples.y()[i], static_cast<Real>((2 * window + 4 + 2 * step) * frame + i % frame)) << i;
    }
  }
}

TEST(Windows, OfADatasetMayHaveTargetsLargerThanTheStack) {
  const Tensor x = counted({200, 3}), y = counted({200, 1500}), labels = counted({200});
  const TensorDataset large(x, y), small(x, labels);
  const Windows of_large(large, {.length = 100, .horizon = 0}), of_small(small, {.length = 100, .horizon = 0});
  EXPECT_EQ(gathered(of_large).x(), gathered(of_small).x());
  EXPECT_EQ(gathered(of_large).y(), Tensor(ConstView(y.data() + 99 * 1500, {101, 1500})));
  EXPECT_EQ(gathered(of_small).y(), counted({101}, 99));
}

CsvDataset table(const CsvOptions& options) {
  std::istringstream stream("day,colour,price\n0,red,10\n1,blue,11\n2,red,12\n3,red,13\n4,blue,14\n");
  return read_csv(stream, "prices.csv", options);
}

TEST(Windows, PredictTheColumnsOfATableByName) {
  const CsvDataset prices = table({.target = std::nullopt});  // day, colour=blue, colour=red, price
  const Windows by_name(prices, {.length = 2, .targets = {"price", "colour=red"}});
  const Windows by_index(prices, {.length = 2, .targets = {-1, 2}});
  for (const Windows* data : {&by_name, &by_index}) {
    EXPECT_EQ(gathered(*data).x(),
              Tensor({3, 2, 4}, {0, 0, 1, 10, 1, 1, 0, 11, 1, 1, 0, 11, 2, 0, 1, 12, 2, 0, 1, 12, 3, 0, 1, 13}));
    EXPECT_EQ(gathered(*data).y(), Tensor::matrix({{12, 1}, {13, 1}, {14, 0}}));
  }
}

TEST(Windows, PredictTheTargetOfATableByDefault) {
  const CsvDataset prices = table({.target = "price", .ignored = {"colour"}});
  const Windows next(prices, {.length = 2}), same(prices, {.length = 2, .horizon = 0, .target_length = 2});
  EXPECT_EQ(gathered(next).x(), Tensor({3, 2, 1}, {0, 1, 1, 2, 2, 3}));
  EXPECT_EQ(gathered(next).y(), Tensor::matrix({{12}, {13}, {14}}));
  EXPECT_EQ(gathered(same).y(), Tensor({4, 2, 1}, {10, 11, 11, 12, 12, 13, 13, 14}));
  const CsvDataset colours = table({.target = "colour", .ignored = {"price"}});  // classes blue, red
  const Windows classes(colours, {.length = 2});
  EXPECT_EQ(gathered(classes).y(), Tensor::vector({1, 1, 0}));
}

TEST(Windows, ReachTheEndOfTheSeriesWithoutTargets) {
  const Tensor series = counted({5, 1});
  const Windows data(series, {.length = 3, .horizon = 100, .target_length = 0});
  EXPECT_EQ(data.target_shape(), (Shape{0, 1}));
  EXPECT_EQ(gathered(data).x(), Tensor({3, 3, 1}, {0, 1, 2, 1, 2, 3, 2, 3, 4}));
}

TEST(Windows, ReferToTheSeries) {
  Tensor series = counted({4, 1});
  const Windows data(series, {.length = 3});
  series[3] = 70;
  EXPECT_EQ(gathered(data).y(), Tensor::matrix({{70}}));
}

TEST(Windows, DoNotBindToATemporary) {
  static_assert(Dataset<Windows>);
  static_assert(std::is_constructible_v<Windows, Tensor&, WindowOptions>);
  static_assert(std::is_constructible_v<Windows, const CsvDataset&, WindowOptions>);
  static_assert(!std::is_constructible_v<Windows, Tensor, WindowOptions>);
  static_assert(!std::is_constructible_v<Windows, const Tensor, WindowOptions>);
  static_assert(!std::is_constructible_v<Windows, CsvDataset, WindowOptions>);
  static_assert(!std::is_constructible_v<Windows, TensorDataset, WindowOptions>);
  static_assert(!std::is_constructible_v<DatasetRef, Windows>);
}

std::string options_error(const WindowOptions& options, Index steps = 10) {
  const Tensor series({steps, 2});
  return error_of<ValueError>([&] { Windows(series, options); });
}

TEST(Windows, RejectOptionsOutOfRange) {
  constexpr Index most = std::numeric_limits<Index>::max(), least = std::numeric_limits<Index>::min();
  EXPECT_EQ(options_error({}), "windows: length is 0; it must be at least 1");
  EXPECT_EQ(options_error({.length = 3, .stride = 0}), "windows: stride is 0; it must be at least 1");
  EXPECT_EQ(options_error({.length = 3, .sampling_rate = 0}), "windows: sampling_rate is 0; it must be at least 1");
  EXPECT_EQ(options_error({.length = 3, .target_length = -1}), "windows: target_length is -1; it must be at least 0");
  for (const Index horizon : {Index{0}, Index{-1}, least}) {
    EXPECT_EQ(
        options_error({.length = 3, .horizon = horizon}),
        message("windows: horizon is {}; it must be at least 1, because a target within the window is known", horizon));
  }
  const TensorDataset labelled(Tensor({10, 2}), Tensor({10}));
  EXPECT_EQ(error_of<ValueError>([&] { Windows(labelled, {.length = 3, .horizon = -1}); }),
            "windows: horizon is -1; it must be at least 0");
  EXPECT_EQ(options_error({.length = 3, .horizon = 2, .target_length = 6}),
            "windows: target_length is 6; with more than 5, targets would precede the window");
  EXPECT_EQ(options_error({.length = 10}),
            "windows: a window of 10 steps and a horizon of 1 do not fit a series of 10 steps");
  EXPECT_EQ(options_error({.length = 4, .sampling_rate = 3}),
            "windows: a window of 4 steps with sampling_rate 3 and a horizon of 1 do not fit a series of 10 steps");
  EXPECT_EQ(options_error({.length = 1, .sampling_rate = 3}, 0),
            "windows: a window of 1 steps with sampling_rate 3 and a horizon of 1 do not fit a series of 0 steps");
  for (const WindowOptions& huge :
       {WindowOptions{.length = most}, WindowOptions{.length = most, .sampling_rate = most},
        WindowOptions{.length = 2, .sampling_rate = most}, WindowOptions{.length = 2, .horizon = most},
        WindowOptions{.length = 5, .sampling_rate = 2, .horizon = most}}) {
    EXPECT_TRUE(options_error(huge).ends_with("do not fit a series of 10 steps"));
  }
  EXPECT_TRUE(options_error({.length = 2, .target_length = most}).starts_with("windows: target_length is"));
  const Tensor series({10, 2});
  EXPECT_EQ(Windows(series, {.length = 9, .stride = most, .sampling_rate = 1}).size(), 1);
}

TEST(Windows, RejectUnknownColumns) {
  EXPECT_EQ(options_error({.length = 3, .targets = {2}}),
            "windows: there is no column 2 (.targets); the series has columns 0 to 1");
  EXPECT_EQ(options_error({.length = 3, .targets = {-3}}),
            "windows: there is no column -3 (.targets); the series has columns 0 to 1");
  EXPECT_EQ(
      options_error({.length = 3, .targets = {"price"}}),
      "windows: the target \"price\" is a name, but only the columns of a CsvDataset have names; use the index of "
      "the column");
  const CsvDataset prices = table({.target = "price"});
  EXPECT_EQ(error_of<ValueError>([&] { Windows(prices, {.length = 2, .targets = {"cost"}}); }),
            "windows: there is no feature \"cost\" (.targets); there are: day, colour=blue, colour=red");
  EXPECT_EQ(
      error_of<ValueError>([&] { Windows(prices, {.length = 2, .targets = {"price"}}); }),
      "windows: there is no feature \"price\" (.targets); there are: day, colour=blue, colour=red; it is the target "
      "that read_csv has set apart, which is predicted without .targets");
}

TEST(Windows, RejectASeriesWithoutStepsOrColumns) {
  const Tensor scalar = Tensor::scalar(1), values({10}), images({10, 2, 2});
  EXPECT_EQ(error_of<ShapeError>([&] { Windows(scalar, {.length = 1}); }),
            "windows: the series is (); (steps, features...) is required");
  EXPECT_EQ(error_of<ShapeError>([&] { Windows(values, {.length = 2, .targets = {0}}); }),
            "windows: .targets are columns of a series of shape (steps, features), but a step of this one is ()");
  EXPECT_EQ(error_of<ShapeError>([&] { Windows(images, {.length = 2, .targets = {0}}); }),
            "windows: .targets are columns of a series of shape (steps, features), but a step of this one is (2, 2)");
}

TEST(Windows, RejectRowsOutOfRangeAndViewsOfTheWrongSize) {
  const Tensor series({10, 2});
  const Windows data(series, {.length = 3});
  const std::vector<Index> beyond{7}, rows{6};
  Tensor x({1, 3, 2}), y({1, 2}), small({1, 2});
  EXPECT_EQ(error_of<ValueError>([&] { data.gather(beyond, x, y); }),
            "Windows: row 7 is out of range; there are 7 rows");
  EXPECT_EQ(error_of<ShapeError>([&] { data.gather(rows, small, y); }),
            "Windows: x is (1, 2); 1 rows of 6 elements are required");
  data.gather(rows, x, y);
}

TEST(Windows, GatherWithoutAllocating) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const Tensor series = counted({100, 2});
  const TensorDataset labelled(series, counted({100, 3}));
  const CsvDataset prices = table({.target = std::nullopt});
  const Windows of_tensor(series, {.length = 8, .targets = {1}}),
      of_dataset(labelled, {.length = 70, .target_length = 70}), of_table(prices, {.length = 2, .targets = {"price"}});
  for (const DatasetRef data : {DatasetRef(of_tensor), DatasetRef(of_dataset), DatasetRef(of_table)}) {
    Batcher batcher(data, {.batch_size = 8, .shuffle_seed = 1});
    batcher.next();
    const testing::AllocationCounter counter;
    Index samples = 0;
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
      batcher.start_epoch(epoch);
      while (const Batch* batch = batcher.next()) samples += batch->size;
    }
    EXPECT_EQ(counter.count(), 0);
    EXPECT_EQ(samples, 3 * data.size());
  }
}

// ---- Splits ----

/// The steps that the windows of a part and their targets use: all values of x and y, divided by the width of a step.
std::set<Index> steps_of(DatasetRef part) {
  std::set<Index> steps;
  const TensorDataset samples = gathered(part);
  for (const Tensor* values : {&samples.x(), &samples.y()}) {
    for (const Real value : *values) steps.insert(static_cast<Index>(value));
  }
  return steps;
}

TEST(SplitOfWindows, SharesNoStepAndDropsNoMoreWindowsThanNecessary) {
  int splits = 0;
  for (Case one : cases(400)) {
    one.width = 1;
    one.options.targets = {};
    one.has_own_targets = false;
    if (one.options.horizon == 0) one.options.horizon = 1;
    if (!one.fits()) continue;
    SCOPED_TRACE(message("{} steps, length {}, stride {}, sampling rate {}, horizon {}, targets {}", one.steps,
                         one.options.length, one.options.stride, one.options.sampling_rate, one.options.horizon,
                         one.options.target_length.value_or(-1)));
    const Tensor series = one.series();
    const Windows data(series, one.options);
    if (data.size() - data.split_gap() < 4) continue;
    ++splits;
    const Split parts = split(data, 0.3);
    const std::set<Index> train = steps_of(parts.train), validation = steps_of(parts.validation);
    EXPECT_LT(*train.rbegin(), *validation.begin()) << "all of training is before all of validation";
    const Index end_of_train = (parts.train.size() - 1) * one.options.stride + one.reach();
    const Index last_dropped = parts.train.size() + data.split_gap() - 1;
    EXPECT_LT(last_dropped * one.options.stride, end_of_train) << "it begins before the end of training";
    EXPECT_EQ(parts.train.size() + data.split_gap() + parts.validation.size(), data.size());
  }
  EXPECT_GT(splits, 100);
}

TEST(SplitOfWindows, DividesTheWindowsThatAreLeft) {
  const Tensor series = counted({100, 1});
  const Windows data(series, {.length = 5, .horizon = 2});  // 94 windows; each overlaps the 6 after it
  EXPECT_EQ(data.split_gap(), 6);
  const auto [rest, test] = split(data, 0.25);
  EXPECT_EQ(rest.size(), 66);
  EXPECT_EQ(test.size(), 22);
  const auto [train, validation] = split(rest, 0.5);
  EXPECT_EQ(train.size(), 30);
  EXPECT_EQ(validation.size(), 30);
  EXPECT_LT(*steps_of(train).rbegin(), *steps_of(validation).begin());
  EXPECT_LT(*steps_of(validation).rbegin(), *steps_of(test).begin());
  const Windows apart(series, {.length = 5, .stride = 7, .horizon = 2});
  EXPECT_EQ(apart.split_gap(), 0) << "windows that share no step need no gap";
}

TEST(SplitOfWindows, LeavesAGapThroughOtherDatasets) {
  const Tensor series = counted({20});
  const Windows data(series, {.length = 3});
  const OneHot one_hot(data, 20);
  const Prefetched prefetched(data);
  std::vector<Index> rows{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  const DatasetSubset subset(data, rows);
  const DatasetSlice slice(data, 2, 10);
  for (const DatasetRef wrapped :
       {DatasetRef(one_hot), DatasetRef(prefetched), DatasetRef(subset), DatasetRef(slice)}) {
    EXPECT_EQ(wrapped.split_gap(), 3);
    EXPECT_EQ(split(wrapped, 0.5).train.size() + split(wrapped, 0.5).validation.size(), wrapped.size() - 3);
  }
  const TensorDataset plain(counted({4, 1}), counted({4}));
  EXPECT_EQ(DatasetRef(plain).split_gap(), 0);
}

TEST(SplitOfWindows, RejectsWindowsThatAllShareSteps) {
  const Tensor series = counted({10});
  const Windows data(series, {.length = 5});
  EXPECT_EQ(error_of<ValueError>([&] { split(data, 0.5); }),
            "split: of 5 samples, 5 of which share data with both parts, validation_fraction 0.5 leaves 0 for training "
            "and 0 for validation; both need samples");
}

}  // namespace
}  // namespace cornu
