#include "cornu/models/callbacks/callbacks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <limits>

#include "cornu/core/error.h"
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
  const History history = model.fit(line_data, quiet(2, {Some{&calls}}));
  EXPECT_EQ(calls, (std::vector<std::string>{"begin", "epoch 0", "epoch 1"}));
  EXPECT_EQ(history["mine"], (std::vector<double>{7, 7}));
}

TEST(AnyCallback, IsCopiedByValueAndBorrowedByPointer) {
  struct Counter {
    int count = 0;
    void on_epoch_end(cornu::Run&, Index, Logs&) { ++count; }
  };
  Counter copied, borrowed;
  Sequential model = line_model();
  model.fit(line_data, quiet(3, {copied, &borrowed}));
  EXPECT_EQ(copied.count, 0);
  EXPECT_EQ(borrowed.count, 3);
}

TEST(LambdaCallback, HasTheHooksInTheOrderOfTheirCalls) {
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
  options.validation_data = &line_data;
  options.validation_batch_size = 8;
  model.fit(line_data, options);
  EXPECT_EQ(calls, "train[ epoch[0 batch[0 ]batch0 batch[1 ]batch1 test[ tb[0 ]tb0 ]test ]epoch0 ]train ");
  calls.clear();
  model.predict(line_data.x(), {}, {callback});
  EXPECT_EQ(calls, "predict[ pb[0 ]pb0 ]predict ");
}

TEST(LambdaCallback, SkipsHooksThatAreNotGiven) {
  Index batches = 0;
  Sequential model = line_model();
  model.fit(line_data, quiet(2, {LambdaCallback{.on_train_batch_end = [&](cornu::Run&, Index, Logs&) { ++batches; }},
                                 LambdaCallback{}}));
  EXPECT_EQ(batches, 8);
}

TEST(LambdaCallback, MayEndTheRunAfterABatch) {
  Sequential model = line_model();
  const History history =
      model.fit(line_data, quiet(5, {LambdaCallback{.on_train_batch_end = [](cornu::Run& run, Index batch, Logs&) {
                                   run.stop_training = batch == 2;
                                 }}}));
  EXPECT_EQ(history.epoch, (std::vector<Index>{0}));
  EXPECT_EQ(model.optimizer().iterations(), 3);
  EXPECT_FALSE(history.interrupted);
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
  options.validation_data = &line_data;
  const History history = model.fit(line_data, options);
  EXPECT_TRUE(history.interrupted);
  EXPECT_EQ(history.epoch, (std::vector<Index>{0, 1}));
  EXPECT_EQ(history["loss"].size(), 2u);
  EXPECT_EQ(history["val_loss"].size(), 1u) << "Ctrl-C skips the validation";
  EXPECT_EQ(model.optimizer().iterations(), 4 + 3);
  EXPECT_EQ(early.best_epoch, 0) << "and EarlyStopping accepts that";

  EXPECT_FALSE(model.fit(line_data, quiet(1, {})).interrupted) << "the next run starts over";
  std::signal(SIGINT, former);
}

// ---- TerminateOnNaN ----

/// A learning rate at which the loss overflows within an epoch.
constexpr double exploding = sizeof(Real) == sizeof(float) ? 1e30 : 1e200;

TEST(TerminateOnNaN, EndsTheRunWithoutThrowing) {
  Sequential model = line_model(SGD{.learning_rate = exploding});
  const History history = model.fit(line_data, quiet(5, {TerminateOnNaN{}}));
  EXPECT_EQ(history.epoch, (std::vector<Index>{0}));
  EXPECT_FALSE(std::isfinite(history["loss"][0]));
  EXPECT_LT(model.optimizer().iterations(), 4);

  Sequential other = line_model(SGD{.learning_rate = exploding});
  EXPECT_THROW(other.fit(line_data, quiet(5, {})), NonFiniteError);
}

TEST(TerminateOnNaN, DoesNotEndARunWithAFiniteLoss) {
  Sequential model = line_model();
  EXPECT_EQ(model.fit(line_data, quiet(3, {TerminateOnNaN{}})).epoch.size(), 3u);
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

// ---- LearningRateScheduler ----

TEST(LearningRateScheduler, SetsTheRateOfEachEpochAndLogsIt) {
  Sequential model = line_model(SGD{.learning_rate = 0.5});
  std::vector<double> used;
  std::vector<std::pair<Index, double>> asked;
  const History history =
      model.fit(line_data, quiet(3, {LearningRateScheduler{[&](Index epoch, double rate) {
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

TEST(LearningRateScheduler, TrainsWithTheScheduledRate) {
  Sequential model = line_model();
  const std::vector<Tensor> before = model.get_weights();
  model.fit(line_data, quiet(1, {LearningRateScheduler{[](Index, double) { return 0; }}}));
  EXPECT_EQ(model.get_weights(), before);
}

TEST(LearningRateScheduler, RefusesInvalidRates) {
  Sequential model = line_model();
  EXPECT_EQ(error_of<ValueError>([&] {
              model.fit(line_data, quiet(3, {LearningRateScheduler{[](Index epoch, double) { return 0.5 - epoch; }}}));
            }),
            "LearningRateScheduler: the schedule returned -0.5 for epoch 1; a finite rate of at least 0 is required");
  EXPECT_THROW(model.fit(line_data, quiet(1, {LearningRateScheduler{[](Index, double) { return NAN; }}})), ValueError);
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line_data, quiet(1, {LearningRateScheduler{}})); }),
            "LearningRateScheduler: schedule is empty");
}

// ---- Callbacks that set the rate, and schedules ----

void expect_callback_refused(const AnyCallback& callback, const std::string& name) {
  const std::string text = name +
                           ": the optimizer's learning_rate is a schedule, which a rate set by the callback would "
                           "replace; give the optimizer a constant learning_rate, or remove the callback";
  const CompileOptions scheduled{.optimizer = SGD{.learning_rate = ExponentialDecay{0.1, 10, 0.5}},
                                 .loss = MeanSquaredError{}};
  Sequential model = line_model();
  model.compile(scheduled);
  const std::vector<Tensor> before = model.get_weights();
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line_data, quiet(1, {callback})); }), text);
  EXPECT_EQ(model.get_weights(), before) << "at once";
  EXPECT_FALSE(model.optimizer().replaced_learning_rate().has_value());
  // A rate set by hand is a constant and may be set again; a schedule set by hand may not be replaced.
  model.optimizer().set_learning_rate(0.05);
  EXPECT_NO_THROW(model.fit(line_data, quiet(2, {callback})));
  model.optimizer().set_learning_rate(LearningRate([](Index) { return 0.1; }));
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line_data, quiet(1, {callback})); }), text);
  // The model may be compiled with a schedule during fit.
  Sequential late = line_model();
  const LambdaCallback compiling{.on_epoch_end = [&](cornu::Run& run, Index, Logs&) { run.model.compile(scheduled); }};
  EXPECT_EQ(error_of<ValueError>([&] { late.fit(line_data, quiet(9, {compiling, callback})); }), text);
}

TEST(LearningRateScheduler, RefusesToReplaceASchedule) {
  expect_callback_refused(LearningRateScheduler{[](Index, double rate) { return rate; }}, "LearningRateScheduler");
}

TEST(ReduceLROnPlateau, RefusesToReplaceASchedule) {
  expect_callback_refused(ReduceLROnPlateau{.monitor = "loss", .patience = 1, .min_delta = 1e9}, "ReduceLROnPlateau");
}

}  // namespace
}  // namespace cornu
