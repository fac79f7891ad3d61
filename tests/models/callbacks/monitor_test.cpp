#include "cornu/models/callbacks/monitor.h"

#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/tests/models/callbacks/line_model.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/registered.h"
#include "cornu/tests/support/temporary_folder.h"

// Whether larger or smaller values are better follows from the metric's declaration, never from its name.

namespace cornu {
namespace {

using testing::error_of;
using testing::line_data;
using testing::quiet;

TEST(Monitor, KnowsTheDirectionOfEveryMetric) {
  const std::vector<std::pair<AnyMetric, Direction>> metrics{{Accuracy{}, Direction::up},
                                                             {BinaryAccuracy{}, Direction::up},
                                                             {CategoricalAccuracy{}, Direction::up},
                                                             {SparseCategoricalAccuracy{}, Direction::up},
                                                             {TopKAccuracy{}, Direction::up},
                                                             {Precision{}, Direction::up},
                                                             {Recall{}, Direction::up},
                                                             {F1Score{}, Direction::up},
                                                             {AUC{}, Direction::up},
                                                             {MeanIoU{.num_classes = 2}, Direction::up},
                                                             {R2Score{}, Direction::up},
                                                             {RootMeanSquaredError{}, Direction::down},
                                                             {MeanSquaredError{}, Direction::down},
                                                             {Hinge{}, Direction::down},
                                                             {CosineSimilarity{}, Direction::up}};
  for (const auto& [metric, direction] : metrics) EXPECT_EQ(metric.direction(), direction) << metric.name();
}

TEST(Monitor, EveryMetricAndLossHasADirection) {
  for (const std::string& name : testing::registered_metrics) {
    EXPECT_NE(testing::with_defaults(detail::metric_registry(), name).direction(), Direction::unknown) << name;
  }
  for (const std::string& name : testing::registered_losses) {
    EXPECT_NE(testing::with_defaults(detail::loss_registry(), name).direction(), Direction::unknown) << name;
  }
}

/// A metric with a given name and one given value per epoch.
struct Scripted {
  const char* called;
  std::vector<double>* values;
  std::size_t at = 0;

  std::string name() const { return called; }
  void reset() {}
  void update(ConstView, ConstView) {}
  double result() const { return values->empty() ? 0 : values->front(); }
};
struct Plain : Scripted {};
struct Up : Scripted {
  static constexpr Direction direction = Direction::up;
};
struct Down : Scripted {
  static constexpr Direction direction = Direction::down;
};

/// Advances to the next epoch's value.
struct NextEpoch {
  std::vector<double>* values;
  void on_epoch_end(cornu::Run&, Index, Logs&) const { values->erase(values->begin()); }
};

/// The best epoch according to EarlyStopping, the number of checkpoints, and the rate after a plateau.
struct Seen {
  Index best_epoch = 0;
  std::size_t checkpoints = 0;
  double rate = 0;
};
template <class M>
Seen best_of(const char* name, const std::string& monitor, std::vector<double> values,
             MonitorMode mode = MonitorMode::automatic) {
  const testing::TemporaryFolder folder;
  Sequential model{Input{1}, Dense{1}};
  model.compile({.optimizer = SGD{.learning_rate = 0.5}, .loss = MeanSquaredError{}, .metrics = {M{{name, &values}}}});
  EarlyStopping early{.monitor = monitor, .patience = 100, .mode = mode};
  const auto epochs = static_cast<Index>(values.size());
  FitOptions options = quiet(
      epochs, {&early,
               ModelCheckpoint{.filepath = (folder / "{epoch}").string(),
                               .monitor = monitor,
                               .save_best_only = true,
                               .save_weights_only = true,
                               .mode = mode},
               ReduceLROnPlateau{.monitor = monitor, .factor = 0.5, .patience = 1, .mode = mode}, NextEpoch{&values}});
  options.validation_data = &line_data;
  model.fit(line_data, options);
  return {early.best_epoch, folder.names().size(), model.optimizer().learning_rate()};
}

TEST(Monitor, IgnoresTheNamesOfMetrics) {
  // Judging by names would go wrong: "acceleration_error" contains "acc", and "dice" no hint.
  for (const char* prefix : {"", "val_"}) {
    for (const char* name : {"acceleration_error", "layer2_loss", "accuracy_gap", "f1_penalty"}) {
      const Seen seen = best_of<Down>(name, std::string(prefix) + name, {3, 2, 1, 2});
      EXPECT_EQ(seen.best_epoch, 2) << name;
      EXPECT_EQ(seen.checkpoints, 3U) << name;
      EXPECT_EQ(seen.rate, 0.25) << name;
    }
    for (const char* name : {"dice", "kappa", "val_of_it", "loss_of_all"}) {
      const Seen seen = best_of<Up>(name, std::string(prefix) + name, {1, 2, 3, 2});
      EXPECT_EQ(seen.best_epoch, 2) << name;
      EXPECT_EQ(seen.checkpoints, 3U) << name;
      EXPECT_EQ(seen.rate, 0.25) << name;
    }
  }
}

TEST(Monitor, AMetricWithoutADirectionNeedsAMode) {
  const char* const text =
      ": the metric dice has no direction, so it is unknown whether a larger or smaller \"val_dice\" is better; set "
      ".mode = max or min, or give the metric a member: static constexpr Direction direction = Direction::up";
  std::vector<double> values{0.5, 0.5};
  Sequential model{Input{1}, Dense{1}};
  model.compile({.optimizer = SGD{}, .loss = MeanSquaredError{}, .metrics = {Plain{{"dice", &values}}}});
  const auto refused = [&](const AnyCallback& callback) {
    const std::vector<Tensor> before = model.get_weights();
    FitOptions options = quiet(1, {callback});
    options.validation_data = &line_data;
    const std::string error = error_of<ValueError>([&] { model.fit(line_data, options); });
    EXPECT_EQ(model.get_weights(), before) << "the error comes before the first step";
    return error;
  };
  EXPECT_EQ(refused(EarlyStopping{.monitor = "val_dice"}), std::string("EarlyStopping") + text);
  EXPECT_EQ(refused(ReduceLROnPlateau{.monitor = "val_dice"}), std::string("ReduceLROnPlateau") + text);
  EXPECT_EQ(refused(ModelCheckpoint{.filepath = "x", .monitor = "val_dice", .save_best_only = true}),
            std::string("ModelCheckpoint") + text);
  EXPECT_EQ(best_of<Plain>("dice", "val_dice", {1, 2, 3, 2}, MonitorMode::max).best_epoch, 2);
  EXPECT_EQ(best_of<Plain>("dice", "val_dice", {3, 2, 1, 2}, MonitorMode::min).best_epoch, 2);
}

TEST(Monitor, TheSecondOfTwoMetricsOfOneNameHasItsOwnDirection) {
  std::vector<double> values{1, 2, 3, 2};
  Sequential model{Input{1}, Dense{1}};
  model.compile(
      {.optimizer = SGD{}, .loss = MeanSquaredError{}, .metrics = {Down{{"m", &values}}, Up{{"m", &values}}}});
  EarlyStopping down{.monitor = "m", .patience = 100}, up{.monitor = "m_1", .patience = 100};
  model.fit(line_data, quiet(4, {&down, &up, NextEpoch{&values}}));
  EXPECT_EQ(down.best_epoch, 0);
  EXPECT_EQ(up.best_epoch, 2);
}

}  // namespace
}  // namespace cornu
