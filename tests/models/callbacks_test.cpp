#include "cornu/models/callbacks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/models/metrics.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

/// y = 2 x at eight places, which a single weight can learn.
const TensorDataset line(Tensor({8, 1}, {-1, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1}),
                         Tensor({8, 1}, {-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2}));

Sequential line_model(double learning_rate = 0.1) {
  Sequential model{Input{1}, Dense{1}};
  model.compile({.optimizer = SGD{.learning_rate = learning_rate}, .loss = MeanSquaredError{}});
  return model;
}

FitOptions quiet(Index epochs, std::vector<AnyCallback> callbacks) {
  return {.batch_size = 2, .epochs = epochs, .verbose = Verbose::silent, .callbacks = std::move(callbacks)};
}

Logs logs_of(std::initializer_list<Logs::Entry> entries) {
  Logs logs;
  for (const Logs::Entry& entry : entries) logs.set(entry.name, entry.value);
  return logs;
}

std::string content(const std::string& filename) {
  std::ifstream file(filename);
  return {std::istreambuf_iterator<char>(file), {}};
}

// ---- Hooks in general ----

TEST(AnyCallback, CallsTheHooksThatAStructHas) {
  struct Some {
    std::vector<std::string>* calls;
    void on_train_begin(cornu::Run&, Logs&) { calls->push_back("begin"); }
    void on_epoch_end(cornu::Run&, Index epoch, Logs& logs) {
      calls->push_back("epoch " + std::to_string(epoch));
      logs.set("mine", 7);
    }
  };
  std::vector<std::string> calls;
  Sequential model = line_model();
  const History history = model.fit(line, quiet(2, {Some{&calls}}));
  EXPECT_EQ(calls, (std::vector<std::string>{"begin", "epoch 0", "epoch 1"}));
  EXPECT_EQ(history["mine"], (std::vector<double>{7, 7}));
}

TEST(AnyCallback, IsACopyIfGivenByValueAndTheCallersIfGivenByPointer) {
  struct Counter {
    int count = 0;
    void on_epoch_end(cornu::Run&, Index, Logs&) { ++count; }
  };
  Counter copied, borrowed;
  Sequential model = line_model();
  model.fit(line, quiet(3, {copied, &borrowed}));
  EXPECT_EQ(copied.count, 0);
  EXPECT_EQ(borrowed.count, 3);
}

TEST(LambdaCallback, HasEveryHookInTheOrderInWhichTheyAreCalled) {
  std::string calls;
  const auto whole = [&](const std::string& name) { return [&, name](cornu::Run&, Logs&) { calls += name + " "; }; };
  const auto part = [&](const std::string& name) {
    return [&, name](cornu::Run&, Index index, Logs&) { calls += name + std::to_string(index) + " "; };
  };
  const LambdaCallback callback{.on_train_begin = whole("train["),
                                .on_epoch_begin = part("epoch["),
                                .on_train_batch_begin = part("batch["),
                                .on_train_batch_end = part("]batch"),
                                .on_epoch_end = part("]epoch"),
                                .on_train_end = whole("]train"),
                                .on_test_begin = whole("test["),
                                .on_test_batch_begin = part("tb["),
                                .on_test_batch_end = part("]tb"),
                                .on_test_end = whole("]test"),
                                .on_predict_begin = whole("predict["),
                                .on_predict_batch_begin = part("pb["),
                                .on_predict_batch_end = part("]pb"),
                                .on_predict_end = whole("]predict")};
  Sequential model = line_model();
  FitOptions options = quiet(1, {callback});
  options.batch_size = 4;
  options.validation_data = &line;
  options.validation_batch_size = 8;
  model.fit(line, options);
  EXPECT_EQ(calls, "train[ epoch[0 batch[0 ]batch0 batch[1 ]batch1 test[ tb[0 ]tb0 ]test ]epoch0 ]train ");
  calls.clear();
  model.predict(line.x(), {}, {callback});
  EXPECT_EQ(calls, "predict[ pb[0 ]pb0 ]predict ");
}

TEST(LambdaCallback, SkipsWhatIsNotGiven) {
  Index batches = 0;
  Sequential model = line_model();
  model.fit(line, quiet(2, {LambdaCallback{.on_train_batch_end = [&](cornu::Run&, Index, Logs&) { ++batches; }},
                            LambdaCallback{}}));
  EXPECT_EQ(batches, 8);
}

TEST(LambdaCallback, MayEndTheRunAfterABatch) {
  Sequential model = line_model();
  const History history =
      model.fit(line, quiet(5, {LambdaCallback{.on_train_batch_end = [](cornu::Run& run, Index batch, Logs&) {
                              run.stop_training = batch == 2;
                            }}}));
  EXPECT_EQ(history.epoch, (std::vector<Index>{0}));
  EXPECT_EQ(model.optimizer().iterations(), 3);
  EXPECT_FALSE(history.interrupted);
}

// ---- EarlyStopping ----

/// Gives the callback these values epoch by epoch; returns how many epochs the run had.
Index epochs_run(EarlyStopping& early, std::initializer_list<double> values) {
  Sequential model = line_model();
  cornu::Run run{.model = model, .epochs = static_cast<Index>(values.size())};
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

TEST(EarlyStopping, EndsTheRunAfterAsManyEpochsWithoutImprovementAsItHasPatience) {
  EarlyStopping early;
  EXPECT_EQ(epochs_run(early, {3, 2, 1, 1, 0}), 4) << "an equal one is no improvement";
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

TEST(EarlyStopping, DoesNotEndTheFirstEpochNorTakeNaNForAnImprovement) {
  EarlyStopping early;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(epochs_run(early, {nan, 2, 1}), 3);
  EXPECT_EQ(early.best, 1);
  EXPECT_EQ(epochs_run(early, {2, nan, 1}), 2);
  EXPECT_EQ(early.best, 2);
}

TEST(EarlyStopping, WantsAnImprovementOfMoreThanMinDelta) {
  EarlyStopping early{.min_delta = 0.5};
  EXPECT_EQ(epochs_run(early, {3, 2.5, 0}), 2);
  EXPECT_EQ(epochs_run(early, {3, 2.25, 0}), 3);
  early.min_delta = -0.5;
  EXPECT_EQ(epochs_run(early, {3, 2.75, 0}), 2) << "its sign does not matter, as in Keras";
}

TEST(EarlyStopping, KnowsByTheNameWhatIsToGrow) {
  for (const char* name : {"accuracy", "val_accuracy", "acc", "auc", "precision_class_1", "val_recall", "f1_score"}) {
    EarlyStopping early{.monitor = name};
    EXPECT_EQ(epochs_run(early, {0.1, 0.2, 0.3}), 3) << name;
    EXPECT_EQ(early.best, 0.3) << name;
    EXPECT_EQ(epochs_run(early, {0.3, 0.2, 0.3}), 2) << name;
  }
  for (const char* name : {"loss", "val_loss", "mean_squared_error"}) {
    EarlyStopping early{.monitor = name};
    EXPECT_EQ(epochs_run(early, {0.1, 0.2, 0.3}), 2) << name;
  }
}

TEST(EarlyStopping, DoesAsToldWhateverTheName) {
  EarlyStopping down{.monitor = "accuracy", .mode = EarlyStopping::min};
  EXPECT_EQ(epochs_run(down, {0.3, 0.2, 0.1}), 3);
  EarlyStopping up{.monitor = "loss", .mode = EarlyStopping::max};
  EXPECT_EQ(epochs_run(up, {0.1, 0.2, 0.3}), 3);
}

TEST(EarlyStopping, LosesPatienceUntilTheBaselineIsSurpassed) {
  EarlyStopping early{.patience = 2, .baseline = 1};
  EXPECT_EQ(epochs_run(early, {3, 2.9, 2.8, 2.9, 0}), 4) << "Keras does not look at patience while there is a best";
  EXPECT_EQ(early.best, 2.8);
  EXPECT_EQ(epochs_run(early, {3, 0.9, 2, 2, 0}), 4);
  EXPECT_EQ(early.best, 0.9);
}

TEST(EarlyStopping, LooksAwayInEpochsBeforeTheFirstThatCounts) {
  EarlyStopping early{.start_from_epoch = 2};
  EXPECT_EQ(epochs_run(early, {1, 2, 3, 2, 2, 0}), 5);
  EXPECT_EQ(early.best, 2);
  EXPECT_EQ(early.best_epoch, 3);
}

TEST(EarlyStopping, BeginsAnewWithEachRun) {
  EarlyStopping early;
  epochs_run(early, {1, 2});
  EXPECT_EQ(epochs_run(early, {5, 4, 3}), 3);
  EXPECT_EQ(early.best, 3);
  EXPECT_EQ(early.stopped_epoch, 0);
}

TEST(EarlyStopping, SaysWhatThereIsWhenWhatItMonitorsIsNot) {
  Sequential model = line_model();
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line, quiet(1, {EarlyStopping{}})); }),
            "EarlyStopping: there is no \"val_loss\" to monitor; there are: loss (fit was given neither "
            "validation_data nor validation_split)");
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line, quiet(1, {EarlyStopping{.monitor = "accuracy"}})); }),
            "EarlyStopping: there is no \"accuracy\" to monitor; there are: loss");
  FitOptions options = quiet(1, {EarlyStopping{.monitor = "val_accuracy"}});
  options.validation_data = &line;
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line, options); }),
            "EarlyStopping: there is no \"val_accuracy\" to monitor; there are: loss, val_loss");
}

TEST(EarlyStopping, WaitsForValidationThatDoesNotComeEveryEpoch) {
  Sequential model = line_model(0);  // which never improves
  EarlyStopping early{.patience = 1};
  FitOptions options = quiet(10, {&early});
  options.validation_data = &line;
  options.validation_freq = 2;
  const History history = model.fit(line, options);
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
    options.validation_data = &line;
    const History history = model.fit(line, options);
    EXPECT_EQ(early.best_epoch, 2);
    EXPECT_EQ(early.stopped_epoch, 4);
    EXPECT_EQ(history.epoch.size(), 5u);
    EXPECT_EQ(early.best, history["val_loss"][2]);
    EXPECT_EQ(model.get_weights(), weights[restore ? 2 : 4]);
    EXPECT_NE(weights[2], weights[4]);
    EXPECT_EQ(model.evaluate(line, {.batch_size = 2})["loss"], history["val_loss"][restore ? 2 : 4]);
  }
}

TEST(EarlyStopping, RestoresTheBestWeightsAlsoWhenTheRunEndsByItself) {
  Sequential model = line_model();
  EarlyStopping early{.monitor = "loss", .patience = 100, .restore_best_weights = true};
  std::vector<Tensor> best;
  model.fit(line, quiet(4, {&early,
                            LambdaCallback{.on_epoch_end =
                                               [&](cornu::Run& run, Index epoch, Logs&) {
                                                 if (epoch == 1) best = run.model.get_weights();
                                               }},
                            LearningRateScheduler{[](Index epoch, double) { return epoch < 2 ? 0.1 : 5.0; }}}));
  EXPECT_EQ(early.stopped_epoch, 0);
  EXPECT_EQ(early.best_epoch, 1);
  EXPECT_EQ(model.get_weights(), best);
}

// ---- Ctrl-C ----

TEST(Interrupt, EndsTheRunAfterTheBatchAndKeepsTheModelAndTheHistory) {
  const auto former = std::signal(SIGINT, SIG_DFL);
  Sequential model = line_model();
  Index current = 0;
  EarlyStopping early{.restore_best_weights = true};
  FitOptions options =
      quiet(5, {LambdaCallback{.on_epoch_begin = [&](cornu::Run&, Index epoch, Logs&) { current = epoch; },
                               .on_train_batch_end =
                                   [&](cornu::Run&, Index batch, Logs&) {
                                     if (current == 1 && batch == 2) std::raise(SIGINT);
                                   }},
                &early});
  options.validation_data = &line;
  const History history = model.fit(line, options);
  EXPECT_TRUE(history.interrupted);
  EXPECT_EQ(history.epoch, (std::vector<Index>{0, 1}));
  EXPECT_EQ(history["loss"].size(), 2u);
  EXPECT_EQ(history["val_loss"].size(), 1u) << "who presses Ctrl-C does not wait for a validation";
  EXPECT_EQ(model.optimizer().iterations(), 4 + 3);
  EXPECT_EQ(early.best_epoch, 0) << "and nobody misses it";

  EXPECT_FALSE(model.fit(line, quiet(1, {})).interrupted) << "the next run begins anew";
  std::signal(SIGINT, former);
}

// ---- TerminateOnNaN ----

/// A rate that makes the loss overflow within an epoch.
constexpr double exploding = sizeof(Real) == sizeof(float) ? 1e30 : 1e200;

TEST(TerminateOnNaN, EndsTheRunQuietlyWhereFitWouldThrow) {
  Sequential model = line_model(exploding);
  const History history = model.fit(line, quiet(5, {TerminateOnNaN{}}));
  EXPECT_EQ(history.epoch, (std::vector<Index>{0}));
  EXPECT_FALSE(std::isfinite(history["loss"][0]));
  EXPECT_LT(model.optimizer().iterations(), 4);

  Sequential other = line_model(exploding);
  EXPECT_THROW(other.fit(line, quiet(5, {})), NonFiniteError);
}

TEST(TerminateOnNaN, LeavesARunAloneWhoseLossIsFinite) {
  Sequential model = line_model();
  EXPECT_EQ(model.fit(line, quiet(3, {TerminateOnNaN{}})).epoch.size(), 3u);
}

TEST(TerminateOnNaN, StopsForInfinityAndNaNAlike) {
  Sequential model = line_model();
  for (const double loss : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1.0}) {
    cornu::Run run{.model = model};
    Logs logs = logs_of({{"loss", loss}});
    TerminateOnNaN callback;
    callback.on_train_begin(run, logs);
    EXPECT_FALSE(run.throw_on_non_finite);
    callback.on_train_batch_end(run, 0, logs);
    EXPECT_EQ(run.stop_training, loss != 1.0) << loss;
  }
}

// ---- CSVLogger ----

/// Runs the logger through epochs with these logs.
void log_epochs(CSVLogger logger, const std::vector<Logs>& epochs, Index first = 0, Index validation_freq = 0) {
  Sequential model = line_model();
  cornu::Run run{.model = model, .validation_freq = validation_freq};
  Logs logs;
  logger.on_train_begin(run, logs);
  for (Logs epoch : epochs) {
    Logs batch = logs_of({{"loss", 0}, {"accuracy", 0}});
    logger.on_train_batch_end(run, 0, batch);
    logger.on_epoch_end(run, first++, epoch);
  }
}

TEST(CSVLogger, WritesAHeaderAndARowAnEpochSortedByName) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  log_epochs({file}, {logs_of({{"loss", 0.25}, {"accuracy", 1}}), logs_of({{"loss", 1e-10}, {"accuracy", 0.1}})});
  EXPECT_EQ(content(file), "epoch,accuracy,loss\n0,1,0.25\n1,0.1,1e-10\n");
  log_epochs({.filename = file, .separator = ';'}, {logs_of({{"loss", 3}})});
  EXPECT_EQ(content(file), "epoch;loss\n0;3\n") << "the file begins anew";
}

TEST(CSVLogger, WritesWhatTheHistorySays) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  Sequential model = line_model();
  std::string after_first;
  FitOptions options = quiet(2, {CSVLogger{file}, LambdaCallback{.on_epoch_end = [&](cornu::Run&, Index epoch, Logs&) {
                                   if (epoch == 0) after_first = content(file);
                                 }}});
  options.validation_data = &line;
  const History history = model.fit(line, options);
  std::string expected = "epoch,loss,val_loss\n";
  for (std::size_t i = 0; i < 2; ++i) {
    expected += message("{},{},{}\n", i, history["loss"][i], history["val_loss"][i]);
    if (i == 0) {
      EXPECT_EQ(after_first, expected) << "a row is there as soon as its epoch ends";
    }
  }
  EXPECT_EQ(content(file), expected);
}

TEST(CSVLogger, GoesOnWithAFileWithoutASecondHeader) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  for (const Index first : {0, 1}) {
    log_epochs({.filename = file, .append = true}, {logs_of({{"loss", 0.5}})}, first);
  }
  EXPECT_EQ(content(file), "epoch,loss\n0,0.5\n1,0.5\n");
  EXPECT_EQ(error_of<FormatError>([&] {
              log_epochs({.filename = file, .append = true}, {logs_of({{"loss", 1}, {"accuracy", 1}})});
            }),
            file + ": has the columns epoch,loss; epoch,accuracy,loss cannot be appended to them");
  EXPECT_EQ(content(file), "epoch,loss\n0,0.5\n1,0.5\n");
}

TEST(CSVLogger, WritesNAForWhatAnEpochLacks) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  log_epochs({file}, {logs_of({{"loss", 1}, {"accuracy", 2}}), logs_of({{"loss", 3}})});
  EXPECT_EQ(content(file), "epoch,accuracy,loss\n0,2,1\n1,NA,3\n");
}

TEST(CSVLogger, HasColumnsForAValidationThatComesLater) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  log_epochs({file},
             {logs_of({{"loss", 1}, {"accuracy", 2}, {"learning_rate", 3}}),
              logs_of({{"loss", 4}, {"accuracy", 5}, {"val_loss", 6}, {"val_accuracy", 7}, {"learning_rate", 8}})},
             0, 2);
  EXPECT_EQ(content(file), "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\n0,2,3,1,NA,NA\n1,5,8,4,7,6\n");
}

TEST(CSVLogger, QuotesNamesThatWouldBeTakenApart) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  log_epochs({file}, {logs_of({{"a,b", 1}, {"say \"c\"", 2}})});
  EXPECT_EQ(content(file), "epoch,\"a,b\",\"say \"\"c\"\"\"\n0,1,2\n");
}

TEST(CSVLogger, NamesAFileThatCannotBeWrittenBeforeTheFirstEpoch) {
  const TemporaryFolder folder;
  const std::string file = folder / "missing/log.csv";
  Sequential model = line_model();
  EXPECT_EQ(error_of<FileError>([&] { model.fit(line, quiet(1, {CSVLogger{file}})); }),
            file + ": cannot be written (No such file or directory)");
  EXPECT_EQ(model.optimizer().iterations(), 0);
}

// ---- LearningRateScheduler ----

TEST(LearningRateScheduler, GivesEachEpochItsRateAndPutsItInTheHistory) {
  Sequential model = line_model(0.5);
  std::vector<double> used;
  std::vector<std::pair<Index, double>> asked;
  const History history =
      model.fit(line, quiet(3, {LearningRateScheduler{[&](Index epoch, double rate) {
                                  asked.emplace_back(epoch, rate);
                                  return rate / 2;
                                }},
                                LambdaCallback{.on_train_batch_end = [&](cornu::Run& run, Index batch, Logs&) {
                                  if (batch == 0) used.push_back(run.model.optimizer().learning_rate());
                                }}}));
  EXPECT_EQ(asked, (std::vector<std::pair<Index, double>>{{0, 0.5}, {1, 0.25}, {2, 0.125}}));
  EXPECT_EQ(used, (std::vector<double>{0.25, 0.125, 0.0625}));
  EXPECT_EQ(history["learning_rate"], used);
}

TEST(LearningRateScheduler, TrainsWithItsRate) {
  Sequential model = line_model();
  const std::vector<Tensor> before = model.get_weights();
  model.fit(line, quiet(1, {LearningRateScheduler{[](Index, double) { return 0; }}}));
  EXPECT_EQ(model.get_weights(), before);
}

TEST(LearningRateScheduler, RefusesWhatIsNoRate) {
  Sequential model = line_model();
  EXPECT_EQ(error_of<ValueError>([&] {
              model.fit(line, quiet(3, {LearningRateScheduler{[](Index epoch, double) { return 0.5 - epoch; }}}));
            }),
            "LearningRateScheduler: the schedule gives -0.5 for epoch 1; a rate of at least 0 is required");
  EXPECT_THROW(model.fit(line, quiet(1, {LearningRateScheduler{[](Index, double) { return NAN; }}})), ValueError);
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line, quiet(1, {LearningRateScheduler{}})); }),
            "LearningRateScheduler: there is no schedule");
}

}  // namespace
}  // namespace cornu
