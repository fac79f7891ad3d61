#include "cornu/models/callbacks/callbacks.h"

#include <gtest/gtest.h>

#include <limits>

#include "cornu/core/error.h"
#include "cornu/tests/models/callbacks/line_model.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::line_data;
using testing::line_model;
using testing::logs_of;
using testing::nan;
using testing::quiet;

/// Runs epochs with the given monitored values; returns how many epochs ran.
Index epochs_run(EarlyStopping& early, std::initializer_list<double> values) {
  Sequential model = line_model();
  cornu::Run run{.model = model, .epochs = static_cast<Index>(values.size())};
  run.metrics = {"loss", "accuracy", "mean_squared_error"};
  run.directions = {Direction::down, Direction::up, Direction::down};
  Logs none;
  early.on_train_begin(run, none);
  Index epoch = 0;
  for (const double value : values) {
    Logs logs = logs_of({{early.monitor, value}});
    early.on_epoch_end(run, epoch++, logs);
    if (run.stop_training) break;
  }
  early.on_train_end(run, none);
  return epoch;
}

TEST(EarlyStopping, EndsTheRunAfterPatienceEpochsWithoutImprovement) {
  EarlyStopping early;
  EXPECT_EQ(epochs_run(early, {3, 2, 1, 1, 0}), 4) << "an equal value is not an improvement";
  EXPECT_EQ(early.stopped_epoch, 3);
  EXPECT_EQ(early.best, 1);
  EXPECT_EQ(early.best_epoch, 2);

  early.patience = 1;
  EXPECT_EQ(epochs_run(early, {3, 2, 1, 1, 0}), 4);
  early.patience = 2;
  EXPECT_EQ(epochs_run(early, {3, 4, 2, 3, 3, 1}), 5);
  EXPECT_EQ(early.best, 2);
  early.patience = 3;
  EXPECT_EQ(epochs_run(early, {3, 4, 2, 3, 3, 1}), 6);
  EXPECT_EQ(early.stopped_epoch, 0);
  EXPECT_EQ(early.best_epoch, 5);
}

TEST(EarlyStopping, DoesNotStopInTheFirstEpochOrTakeNaNAsAnImprovement) {
  EarlyStopping early;
  EXPECT_EQ(epochs_run(early, {nan, 2, 1}), 3);
  EXPECT_EQ(early.best, 1);
  EXPECT_EQ(epochs_run(early, {2, nan, 1}), 2);
  EXPECT_EQ(early.best, 2);
}

TEST(EarlyStopping, RequiresAnImprovementOfMoreThanMinDelta) {
  EarlyStopping early{.min_delta = 0.5};
  EXPECT_EQ(epochs_run(early, {3, 2.5, 0}), 2);
  EXPECT_EQ(epochs_run(early, {3, 2.25, 0}), 3);
  early.min_delta = -0.5;
  EXPECT_EQ(epochs_run(early, {3, 2.75, 0}), 2) << "its sign does not matter, as in Keras";
}

TEST(EarlyStopping, TakesTheDirectionFromTheMetric) {
  for (const char* name : {"accuracy", "val_accuracy"}) {
    EarlyStopping early{.monitor = name};
    EXPECT_EQ(epochs_run(early, {0.1, 0.2, 0.3}), 3) << name;
    EXPECT_EQ(early.best, 0.3) << name;
    EXPECT_EQ(epochs_run(early, {0.3, 0.2, 0.3}), 2) << name;
  }
  for (const char* name : {"loss", "val_loss", "mean_squared_error", "val_mean_squared_error"}) {
    EarlyStopping early{.monitor = name};
    EXPECT_EQ(epochs_run(early, {0.1, 0.2, 0.3}), 2) << name;
  }
}

TEST(EarlyStopping, TheModeOverridesTheDirectionOfTheMetric) {
  EarlyStopping down{.monitor = "accuracy", .mode = EarlyStopping::min};
  EXPECT_EQ(epochs_run(down, {0.3, 0.2, 0.1}), 3);
  EarlyStopping up{.monitor = "loss", .mode = EarlyStopping::max};
  EXPECT_EQ(epochs_run(up, {0.1, 0.2, 0.3}), 3);
}

TEST(EarlyStopping, KeepsCountingUntilTheBaselineIsSurpassed) {
  EarlyStopping early{.patience = 2, .baseline = 1};
  EXPECT_EQ(epochs_run(early, {3, 2.9, 2.8, 2.9, 0}), 4) << "Keras ignores patience while the value improves";
  EXPECT_EQ(early.best, 2.8);
  EXPECT_EQ(epochs_run(early, {3, 0.9, 2, 2, 0}), 4);
  EXPECT_EQ(early.best, 0.9);
}

TEST(EarlyStopping, IgnoresEpochsBeforeStartFromEpoch) {
  EarlyStopping early{.start_from_epoch = 2};
  EXPECT_EQ(epochs_run(early, {1, 2, 3, 2, 2, 0}), 5);
  EXPECT_EQ(early.best, 2);
  EXPECT_EQ(early.best_epoch, 3);
}

TEST(EarlyStopping, IsResetByEachRun) {
  EarlyStopping early;
  epochs_run(early, {1, 2});
  EXPECT_EQ(epochs_run(early, {5, 4, 3}), 3);
  EXPECT_EQ(early.best, 3);
  EXPECT_EQ(early.stopped_epoch, 0);
}

TEST(EarlyStopping, ListsTheNamesIfTheMonitoredValueIsMissing) {
  Sequential model = line_model();
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line_data, quiet(1, {EarlyStopping{}})); }),
            "EarlyStopping: there is no \"val_loss\" to monitor; there are: loss (fit was given neither "
            "validation_data nor validation_split)");
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line_data, quiet(1, {EarlyStopping{.monitor = "accuracy"}})); }),
            "EarlyStopping: there is no \"accuracy\" to monitor; there are: loss (if a callback logs it, set .mode = "
            "max or min)");
  EXPECT_EQ(error_of<ValueError>([&] {
              model.fit(line_data, quiet(1, {EarlyStopping{.monitor = "accuracy", .mode = EarlyStopping::max}}));
            }),
            "EarlyStopping: there is no \"accuracy\" to monitor; there are: loss");
  FitOptions options = quiet(1, {EarlyStopping{.monitor = "val_accuracy"}});
  options.validation_data = &line_data;
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line_data, options); }),
            "EarlyStopping: there is no \"val_accuracy\" to monitor; there are: loss, val_loss (if a callback logs it, "
            "set .mode = max or min)");
}

TEST(EarlyStopping, IgnoresEpochsWithoutValidation) {
  Sequential model = line_model(SGD{.learning_rate = 0});  // never improves
  EarlyStopping early{.patience = 1};
  FitOptions options = quiet(10, {&early});
  options.validation_data = &line_data;
  options.validation_freq = 2;
  const History history = model.fit(line_data, options);
  EXPECT_EQ(early.best_epoch, 1);
  EXPECT_EQ(early.stopped_epoch, 3);
  EXPECT_EQ(history.epoch.size(), 4u);
}

TEST(EarlyStopping, RestoresTheWeightsOfTheBestEpoch) {
  for (const bool restore : {true, false}) {
    Sequential model = line_model();
    std::vector<std::vector<Tensor>> weights;
    EarlyStopping early{.patience = 2, .restore_best_weights = restore};
    FitOptions options =
        quiet(20, {&early,
                   LambdaCallback{.on_epoch_end = [&](cornu::Run& run, Index,
                                                      Logs&) { weights.push_back(run.model.get_weights()); }},
                   LearningRateScheduler{[](Index epoch, double) { return epoch < 3 ? 0.1 : 5.0; }}});
    options.validation_data = &line_data;
    const History history = model.fit(line_data, options);
    EXPECT_EQ(early.best_epoch, 2);
    EXPECT_EQ(early.stopped_epoch, 4);
    EXPECT_EQ(history.epoch.size(), 5u);
    EXPECT_EQ(early.best, history["val_loss"][2]);
    EXPECT_EQ(model.get_weights(), weights[restore ? 2 : 4]);
    EXPECT_NE(weights[2], weights[4]);
    EXPECT_EQ(model.evaluate(line_data, {.batch_size = 2})["loss"], history["val_loss"][restore ? 2 : 4]);
  }
}

TEST(EarlyStopping, RestoresTheBestWeightsIfTheRunIsNotStopped) {
  Sequential model = line_model();
  EarlyStopping early{.monitor = "loss", .patience = 100, .restore_best_weights = true};
  std::vector<Tensor> best;
  model.fit(line_data, quiet(4, {&early,
                                 LambdaCallback{.on_epoch_end =
                                                    [&](cornu::Run& run, Index epoch, Logs&) {
                                                      if (epoch == 1) best = run.model.get_weights();
                                                    }},
                                 LearningRateScheduler{[](Index epoch, double) { return epoch < 2 ? 0.1 : 5.0; }}}));
  EXPECT_EQ(early.stopped_epoch, 0);
  EXPECT_EQ(early.best_epoch, 1);
  EXPECT_EQ(model.get_weights(), best);
}

}  // namespace
}  // namespace cornu
