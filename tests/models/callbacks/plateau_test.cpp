#include <gtest/gtest.h>

#include "cornu/models/callbacks/reduce_lr_on_plateau.h"
#include "cornu/tests/models/callbacks/line_model.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::line_data;
using testing::line_model;
using testing::logs_of;
using testing::quiet;

/// Runs epochs with the given monitored values; returns each epoch's learning rate, and the one after the last.
std::vector<double> rates(ReduceLROnPlateau callback, const std::vector<double>& values, double first = 1) {
  Sequential model = line_model(SGD{.learning_rate = first});
  cornu::Run run{.model = model, .metrics = {"loss", "accuracy"}, .directions = {Direction::down, Direction::up}};
  Logs logs;
  std::vector<double> result;
  callback.on_train_begin(run, logs);
  for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
    Logs end = logs_of({{callback.monitor, values[epoch]}});
    callback.on_epoch_end(run, static_cast<Index>(epoch), end);
    result.push_back(end["learning_rate"]);
  }
  result.push_back(model.optimizer().learning_rate());
  return result;
}

using Rates = std::vector<double>;

TEST(ReduceLROnPlateau, HasKerasDefaults) {
  const ReduceLROnPlateau callback;
  EXPECT_EQ(callback.monitor, "val_loss");
  EXPECT_EQ(callback.factor, 0.1);
  EXPECT_EQ(callback.patience, 10);
  EXPECT_EQ(callback.mode, ReduceLROnPlateau::automatic);
  EXPECT_EQ(callback.min_delta, 1e-4);
  EXPECT_EQ(callback.cooldown, 0);
  EXPECT_EQ(callback.min_lr, 0);
}

TEST(ReduceLROnPlateau, ReducesTheRateAfterPatienceEpochsWithoutImprovement) {
  EXPECT_EQ(rates({.factor = 0.5, .patience = 2}, {3, 2, 2, 2.5, 1, 1, 1, 1, 1}),
            (Rates{1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125}));
  EXPECT_EQ(rates({.factor = 0.5, .patience = 1}, {3, 3, 3}), (Rates{1, 1, 0.5, 0.25}));
}

TEST(ReduceLROnPlateau, RequiresAnImprovementOfMoreThanMinDelta) {
  EXPECT_EQ(rates({.factor = 0.5, .patience = 1}, {1, 0.99995, 0.9998}), (Rates{1, 1, 0.5, 0.5}));
  EXPECT_EQ(rates({.factor = 0.5, .patience = 1, .min_delta = 0}, {1, 0.99995, 0.9998}), (Rates{1, 1, 1, 1}));
}

TEST(ReduceLROnPlateau, WaitsForTheCooldown) {
  EXPECT_EQ(rates({.factor = 0.5, .patience = 1, .cooldown = 2}, {1, 1, 1, 1, 1, 1}),
            (Rates{1, 1, 0.5, 0.5, 0.25, 0.25, 0.125}));
}

TEST(ReduceLROnPlateau, StopsAtMinLr) {
  EXPECT_EQ(rates({.factor = 0.5, .patience = 1, .min_lr = 0.4}, {1, 1, 1, 1}), (Rates{1, 1, 0.5, 0.4, 0.4}));
}

TEST(ReduceLROnPlateau, TakesTheDirectionFromTheMetric) {
  EXPECT_EQ(rates({.monitor = "val_accuracy", .factor = 0.5, .patience = 1}, {0.1, 0.2, 0.1}), (Rates{1, 1, 1, 0.5}));
  EXPECT_EQ(rates({.monitor = "mine", .factor = 0.5, .patience = 1, .mode = ReduceLROnPlateau::max}, {1, 2, 1}),
            (Rates{1, 1, 1, 0.5}));
}

TEST(ReduceLROnPlateau, WorksInFit) {
  Sequential model = line_model(SGD{.learning_rate = 0.25});
  // At a rate of 0 nothing improves, but the rate cannot be reduced.
  model.optimizer().set_learning_rate(0);
  const History still = model.fit(line_data, quiet(3, {ReduceLROnPlateau{.monitor = "loss", .patience = 1}}));
  EXPECT_EQ(still["learning_rate"], (Rates{0, 0, 0}));

  Sequential other = line_model(SGD{.learning_rate = 0.25});
  const History history =
      other.fit(line_data, quiet(4, {ReduceLROnPlateau{.monitor = "loss", .patience = 1, .min_delta = 1e9}}));
  EXPECT_EQ(history["learning_rate"].size(), 4u);
  EXPECT_DOUBLE_EQ(history["learning_rate"][3], 0.0025);
}

TEST(ReduceLROnPlateau, RefusesInvalidOptions) {
  EXPECT_EQ(error_of<ValueError>([] { rates({.factor = 1}, {}); }),
            "ReduceLROnPlateau: factor is 1; it must lie between 0 and 1");
  EXPECT_EQ(error_of<ValueError>([] { rates({.min_lr = -1}, {}); }),
            "ReduceLROnPlateau: min_lr is -1; it must not be negative");
  Sequential model = line_model();
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line_data, quiet(3, {ReduceLROnPlateau{}})); }),
            "ReduceLROnPlateau: there is no \"val_loss\" to monitor; there are: loss, learning_rate (fit was given "
            "neither validation_data nor validation_split)");
}

}  // namespace
}  // namespace cornu
