#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <limits>
#include <stdexcept>

#include "cornu/models/callbacks/backup_and_restore.h"
#include "cornu/models/callbacks/callbacks.h"
#include "cornu/models/callbacks/swap_ema_weights.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

// However a run ends, its callbacks' end hooks are called.

namespace cornu {
namespace {

using testing::blobs;
using testing::classifier;
using testing::error_of;
using testing::TemporaryFolder;

/// Counts begin and end hooks, and runs that ended with an exception.
struct CountedHooks {
  Index train = 0, test = 0, predict = 0;  // begun and not ended
  Index ended = 0, failed = 0;

  void on_train_begin(cornu::Run& run, Logs&) { begin(train, run); }
  void on_train_end(cornu::Run& run, Logs&) { end(train, run); }
  void on_test_begin(cornu::Run& run, Logs&) { begin(test, run); }
  void on_test_end(cornu::Run& run, Logs&) { end(test, run); }
  void on_predict_begin(cornu::Run& run, Logs&) { begin(predict, run); }
  void on_predict_end(cornu::Run& run, Logs&) { end(predict, run); }

  static void begin(Index& open, const cornu::Run& run) {
    EXPECT_EQ(run.error, nullptr);
    ++open;
  }
  void end(Index& open, const cornu::Run& run) {
    --open;
    ++ended;
    if (run.error) ++failed;
  }
  void expect_all_ended() const {
    EXPECT_EQ(train, 0);
    EXPECT_EQ(test, 0);
    EXPECT_EQ(predict, 0);
  }
};

/// Throws from one hook, in the second epoch if the hook has epochs.
struct Throwing {
  std::string hook;
  Index epoch = 0;

  void at(const char* name) const {
    if (hook == name && (epoch == 1 || hook.starts_with("train_b") || hook.starts_with("predict"))) {
      throw std::runtime_error(hook);
    }
    if (hook == std::string(name) + "!") throw std::runtime_error(hook);
  }
  void on_train_begin(cornu::Run&, Logs&) const { at("train_begin"); }
  void on_train_resume(cornu::Run&, Logs&) const { at("train_resume"); }
  void on_train_pause(cornu::Run&, Logs&) const { at("train_pause"); }
  void on_epoch_begin(cornu::Run&, Index now, Logs&) {
    epoch = now;
    at("epoch_begin");
  }
  void on_train_batch_begin(cornu::Run&, Index, Logs&) const { at("batch_begin"); }
  void on_train_batch_end(cornu::Run&, Index, Logs&) const { at("batch_end"); }
  void on_epoch_end(cornu::Run&, Index, Logs&) const { at("epoch_end"); }
  void on_train_end(cornu::Run&, Logs&) const { at("train_end"); }
  void on_test_begin(cornu::Run&, Logs&) const { at("test_begin"); }
  void on_test_batch_begin(cornu::Run&, Index, Logs&) const { at("test_batch_begin"); }
  void on_test_batch_end(cornu::Run&, Index, Logs&) const { at("test_batch_end"); }
  void on_test_end(cornu::Run&, Logs&) const { at("test_end"); }
  void on_predict_begin(cornu::Run&, Logs&) const { at("predict_begin"); }
  void on_predict_batch_begin(cornu::Run&, Index, Logs&) const { at("predict_batch_begin"); }
  void on_predict_batch_end(cornu::Run&, Index, Logs&) const { at("predict_batch_end"); }
  void on_predict_end(cornu::Run&, Logs&) const { at("predict_end"); }
};

/// A dataset that throws the n-th time one row is read.
struct Breaking {
  TensorDataset data = blobs(8);
  mutable Index times = 1;

  Index size() const { return data.size(); }
  Shape feature_shape() const { return data.feature_shape(); }
  void gather(std::span<const Index> rows, View x, View y) const {
    for (const Index row : rows) {
      if (row == 5 && times-- == 0) throw std::runtime_error("dataset");
    }
    data.gather(rows, x, y);
  }
};

FitOptions options_of(DatasetRef validation, std::vector<AnyCallback> callbacks) {
  return {.batch_size = 4,
          .epochs = 3,
          .verbose = Verbose::silent,
          .callbacks = std::move(callbacks),
          .validation_data = validation,
          .threads = 1};
}

TEST(Endings, OfFitReachEveryCallbackThatHasBegun) {
  const TensorDataset data = blobs(8);
  for (const char* const hook :
       {"none", "train_begin!", "train_resume!", "train_pause", "epoch_begin", "batch_begin", "batch_end", "epoch_end",
        "test_begin", "test_batch_begin", "test_batch_end", "test_end", "train_end!"}) {
    SCOPED_TRACE(hook);
    CountedHooks before, after;
    EarlyStopping early{.monitor = "loss", .patience = 10, .restore_best_weights = true};
    Sequential model = classifier();
    const bool throws = std::string(hook) != "none";
    try {
      model.fit(data, options_of(data, {&before, &early, Throwing{hook}, &after}));
      EXPECT_FALSE(throws);
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()), hook);
    }
    before.expect_all_ended();
    after.expect_all_ended();
    EXPECT_GE(before.ended, 1);
    EXPECT_EQ(after.failed > 0, throws && std::string(hook) != "train_begin!") << "its begin hook was never called";
    if (!early.best_weights.empty()) {
      EXPECT_EQ(model.get_weights(), early.best_weights);
    }
    EXPECT_NO_THROW(model.fit(data, options_of(data, {})));
  }
}

TEST(Endings, OfFitReachCallbacksWhateverThrows) {
  const TensorDataset data = blobs(8);
  Tensor bad_labels = data.y();
  bad_labels[5] = 7;
  const Breaking broken, broken_validation;
  const TensorDataset mislabelled(data.x(), bad_labels);
  struct Row {
    const char* what;
    DatasetRef train, validation;
  };
  for (const auto& [what, train, validation] :
       {Row{"dataset", broken, data}, Row{"validation", data, broken_validation}, Row{"label", mislabelled, data},
        Row{"label of the validation", data, mislabelled}}) {
    SCOPED_TRACE(what);
    CountedHooks counting;
    Sequential model = classifier();
    EXPECT_THROW(model.fit(train, options_of(validation, {&counting})), std::exception);
    counting.expect_all_ended();
    EXPECT_GE(counting.failed, 1);
    EXPECT_NO_THROW(model.fit(data, options_of(data, {})));
  }
}

TEST(Endings, BestWeightsAreRestoredWhenTheLossIsNoLongerFinite) {
  const TensorDataset data = blobs(8);
  EarlyStopping early{.monitor = "loss", .patience = 10, .restore_best_weights = true};
  // In the third epoch, a callback spoils the weights; the next batch's loss is not finite.
  const LambdaCallback spoil{.on_train_batch_begin = [](cornu::Run& run, Index batch, Logs&) {
    if (run.epoch == 2 && batch == 1) {
      std::vector<Tensor> weights = run.model.get_weights();
      for (Tensor& weight : weights) weight.fill(std::numeric_limits<Real>::infinity());
      run.model.set_weights(weights);
    }
  }};
  Sequential model = classifier(SGD{.learning_rate = 0.1}), twin = model;
  EXPECT_THROW(model.fit(data, options_of(data, {&early, spoil})), NonFiniteError);
  ASSERT_EQ(early.best_epoch, 1);
  FitOptions shorter = options_of(data, {});
  shorter.epochs = 2;
  twin.fit(data, shorter);
  EXPECT_EQ(model.get_weights(), twin.get_weights());
}

TEST(Endings, AnExceptionOfAnEndHookDoesNotHideAnEarlierOne) {
  const TensorDataset data = blobs(8);
  CountedHooks last;
  Sequential model = classifier();
  const LambdaCallback ends{.on_train_end = [](cornu::Run&, Logs&) { throw 7; },
                            .on_test_end = [](cornu::Run&, Logs&) { throw 8; }};
  const auto thrown = [&](std::vector<AnyCallback> callbacks) -> std::string {
    try {
      model.fit(data, options_of(data, std::move(callbacks)));
    } catch (const std::exception& error) {
      return error.what();
    } catch (const int number) {
      return std::to_string(number);
    }
    return "nothing";
  };
  EXPECT_EQ(thrown({ends, Throwing{"batch_end!"}, &last}), "batch_end!");
  EXPECT_EQ(thrown({ends, Throwing{"test_batch_end!"}, &last}), "test_batch_end!");
  EXPECT_EQ(thrown({ends, &last}), "8");
  EXPECT_EQ(
      thrown({LambdaCallback{.on_train_end = [](cornu::Run&, Logs&) { throw 7; }}, Throwing{"train_end!"}, &last}),
      "7");
  last.expect_all_ended();
}

TEST(Endings, TheErrorCanBeReadInEndHooks) {
  std::string text;
  const LambdaCallback reader{.on_train_end = [&](cornu::Run& run, Logs&) {
    try {
      std::rethrow_exception(run.error);
    } catch (const std::exception& error) {
      text = error.what();
    }
  }};
  const TensorDataset data = blobs(8);
  EXPECT_THROW(classifier().fit(data, options_of(data, {reader, Throwing{"epoch_end"}})), std::runtime_error);
  EXPECT_EQ(text, "epoch_end");
}

TEST(Endings, OfEvaluateAndPredictReachEveryCallbackThatHasBegun) {
  const TensorDataset data = blobs(8);
  Sequential model = classifier();
  for (const char* const hook : {"test_begin!", "test_batch_begin!", "test_batch_end!", "test_end!"}) {
    SCOPED_TRACE(hook);
    CountedHooks before, after;
    EXPECT_EQ(error_of<std::runtime_error>([&] {
                model.evaluate(data, {.batch_size = 4}, {&before, Throwing{hook}, &after});
              }),
              hook);
    before.expect_all_ended();
    after.expect_all_ended();
    EXPECT_EQ(before.ended, 1);
    EXPECT_EQ(after.failed, std::string(hook) == "test_begin!" ? 0 : 1);
  }
  for (const char* const hook : {"predict_begin!", "predict_batch_begin!", "predict_batch_end!", "predict_end!"}) {
    SCOPED_TRACE(hook);
    CountedHooks before, after;
    EXPECT_EQ(error_of<std::runtime_error>([&] {
                model.predict(data.x(), {.batch_size = 4}, {&before, Throwing{hook}, &after});
              }),
              hook);
    before.expect_all_ended();
    after.expect_all_ended();
    EXPECT_EQ(before.ended, 1);
    EXPECT_EQ(after.failed, std::string(hook) == "predict_begin!" ? 0 : 1);
  }
}

// ---- Averages of the weights ----

Sequential averaging() { return classifier({Adam{.learning_rate = 0.05}, {.use_ema = true, .ema_momentum = 0.9}}); }

TEST(Endings, SwappedAveragesAreSwappedBack) {
  const TensorDataset data = blobs(8);
  Sequential model = averaging();
  for (int i = 0; i < 3; ++i) model.train_on_batch(data.x(), data.y());
  const std::vector<Tensor> weights = model.get_weights();
  EXPECT_THROW(model.evaluate(data, {}, {SwapEMAWeights{}, Throwing{"test_batch_begin!"}}), std::runtime_error);
  EXPECT_EQ(model.get_weights(), weights);
  EXPECT_THROW(model.predict(data.x(), {}, {SwapEMAWeights{}, Throwing{"predict_batch_begin!"}}), std::runtime_error);
  EXPECT_EQ(model.get_weights(), weights);
}

TEST(Endings, AModelTrainedWithAveragesEndsWithThemHoweverFitEnds) {
  const TensorDataset data = blobs(8);
  for (const char* const hook : {"epoch_end", "test_batch_end", "batch_begin"}) {
    SCOPED_TRACE(hook);
    Sequential model = averaging();
    EXPECT_THROW(model.fit(data, options_of(data, {SwapEMAWeights{}, Throwing{hook}})), std::runtime_error);
    const std::vector<Tensor> weights = model.get_weights();
    const AveragedWeights averaged(model.optimizer());
    EXPECT_EQ(model.get_weights(), weights);
    EXPECT_GT(model.optimizer().iterations(), 0);
  }
  // Nothing to end if no step was made.
  Sequential model = averaging();
  for (int i = 0; i < 3; ++i) model.train_on_batch(data.x(), data.y());
  const std::vector<Tensor> weights = model.get_weights();
  EXPECT_THROW(model.fit(data, options_of(data, {Throwing{"train_resume!"}})), std::runtime_error);
  EXPECT_EQ(model.get_weights(), weights);
}

TEST(SwapEMAWeights, ValidatesWithThePenaltyOfTheAverages) {
  Sequential model{Input{2}, Dense{.units = 3, .kernel_regularizer = L2{1}}};
  model.compile({.optimizer = {SGD{.learning_rate = 0.1}, {.use_ema = true, .ema_momentum = 0.9}},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true}});
  const TensorDataset data = blobs(8);
  for (int i = 0; i < 3; ++i) model.train_on_batch(data.x(), data.y());
  const double with_callback = model.evaluate(data, {}, {SwapEMAWeights{}})["loss"];
  const AveragedWeights averaged(model.optimizer());
  EXPECT_EQ(with_callback, model.evaluate(data)["loss"]);
}

// ---- Backups ----

/// Makes the loss non-finite from the second batch of the second epoch on.
const LambdaCallback diverging{.on_train_batch_begin = [](cornu::Run& run, Index batch, Logs&) {
  if (run.epoch == 1 && batch == 1) {
    std::vector<Tensor> weights = run.model.get_weights();
    weights[0].fill(std::numeric_limits<Real>::infinity());
    run.model.set_weights(weights);
  }
}};

TEST(Endings, TheLastGoodBackupIsKept) {
  const TensorDataset data = blobs(8);
  for (const bool quietly : {true, false}) {
    for (const Index save_freq : {0, 1}) {
      SCOPED_TRACE(message("{} {}", quietly, save_freq));
      const TemporaryFolder folder;
      const BackupAndRestore backup{.backup_dir = folder / "backup", .save_freq = save_freq};
      Sequential model = classifier();
      std::vector<AnyCallback> callbacks{backup, diverging};
      if (quietly) {
        callbacks.emplace_back(TerminateOnNaN{});
        model.fit(data, options_of(data, callbacks));
      } else {
        EXPECT_THROW(model.fit(data, options_of(data, callbacks)), NonFiniteError);
      }
      ASSERT_TRUE(std::filesystem::exists(folder / "backup"));
      // The run resumes there as if nothing had happened.
      Sequential resumed = classifier(), whole = classifier();
      callbacks = {backup, LambdaCallback{}};
      if (quietly) callbacks.emplace_back(LambdaCallback{});
      resumed.fit(data, options_of(data, callbacks));
      whole.fit(data, options_of(data, {}));
      EXPECT_EQ(resumed.get_weights(), whole.get_weights());
      EXPECT_FALSE(std::filesystem::exists(folder / "backup")) << "that run completed";
    }
  }
}

TEST(Endings, ABackupThatDoesNotFitChangesNothing) {
  const TensorDataset data = blobs(8);
  const TemporaryFolder folder;
  const BackupAndRestore backup{.backup_dir = folder / "backup", .delete_checkpoint = false};
  classifier().fit(data, options_of(data, {backup}));
  Sequential model = classifier();
  const std::vector<Tensor> weights = model.get_weights();
  FitOptions options = options_of(data, {backup});
  options.batch_size = 8;
  EXPECT_THROW(model.fit(data, options), ValueError);
  EXPECT_EQ(model.get_weights(), weights);
  EXPECT_THROW(model.fit(data, options_of(data, {backup, LambdaCallback{}})), ValueError);
  EXPECT_EQ(model.get_weights(), weights);
  EXPECT_TRUE(std::filesystem::exists(folder / "backup"));
}

// ---- The bar, and Ctrl-C ----

TEST(Endings, OutputOfEndHooksStartsOnANewLine) {
  const TensorDataset data = blobs(8);
  const LambdaCallback printing{.on_train_end = [](cornu::Run&, Logs&) { std::cout << "the end" << std::flush; }};
  FitOptions options = options_of(data, {printing, Throwing{"batch_end"}});
  options.verbose = Verbose::bar;
  ::testing::internal::CaptureStdout();
  EXPECT_THROW(classifier().fit(data, options), std::runtime_error);
  const std::string text = ::testing::internal::GetCapturedStdout();
  EXPECT_TRUE(text.ends_with("\nthe end")) << text;
}

TEST(Endings, CtrlCDuringAValidationEndsTheRunAfterIt) {
  const auto former = std::signal(SIGINT, SIG_DFL);
  const TensorDataset data = blobs(8);
  for (const Index at : {0, 2}) {
    const LambdaCallback ctrl_c{.on_test_begin = [&](cornu::Run& run, Logs&) {
      if (run.epoch == at) std::raise(SIGINT);
    }};
    const History history = classifier().fit(data, options_of(data, {ctrl_c}));
    EXPECT_TRUE(history.interrupted);
    EXPECT_EQ(history.epoch.back(), at);
    EXPECT_EQ(history["val_loss"].size(), static_cast<std::size_t>(at + 1));
  }
  std::signal(SIGINT, former);
}

}  // namespace
}  // namespace cornu
