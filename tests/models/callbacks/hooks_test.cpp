#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/models/callbacks/callbacks.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// When hooks are called and with what, and what they may do to the model.

namespace cornu {
namespace {

using testing::blobs;
using testing::classifier;
using testing::expect_error;

/// Records every call, with the names in its logs.
struct Diary {
  std::vector<std::string> lines{};

  void on_train_begin(cornu::Run& run, Logs& logs) {
    add("train begin " + std::to_string(run.epochs) + " x " + std::to_string(run.steps), logs);
  }
  void on_train_end(cornu::Run&, Logs& logs) { add("train end", logs); }
  void on_epoch_begin(cornu::Run&, Index epoch, Logs& logs) { add("epoch begin " + std::to_string(epoch), logs); }
  void on_epoch_end(cornu::Run&, Index epoch, Logs& logs) { add("epoch end " + std::to_string(epoch), logs); }
  void on_train_batch_begin(cornu::Run&, Index batch, Logs& logs) { add("batch begin " + std::to_string(batch), logs); }
  void on_train_batch_end(cornu::Run&, Index batch, Logs& logs) { add("batch end " + std::to_string(batch), logs); }
  void on_test_begin(cornu::Run&, Logs& logs) { add("test begin", logs); }
  void on_test_end(cornu::Run&, Logs& logs) { add("test end", logs); }
  void on_test_batch_begin(cornu::Run&, Index batch, Logs& logs) {
    add("test batch begin " + std::to_string(batch), logs);
  }
  void on_test_batch_end(cornu::Run&, Index batch, Logs& logs) { add("test batch end " + std::to_string(batch), logs); }
  void on_predict_begin(cornu::Run&, Logs&) { lines.push_back("predict begin"); }
  void on_predict_end(cornu::Run&, Logs&) { lines.push_back("predict end"); }
  void on_predict_batch_begin(cornu::Run&, Index batch, Logs& logs) {
    add("predict batch begin " + std::to_string(batch), logs);
  }
  void on_predict_batch_end(cornu::Run&, Index batch, Logs&) {
    lines.push_back("predict batch end " + std::to_string(batch));
  }

  void add(std::string line, const Logs& logs) {
    for (const Logs::Entry& entry : logs) line += " " + entry.name;
    lines.push_back(std::move(line));
  }
};

using Lines = std::vector<std::string>;

TEST(Hooks, OfFitComeInKerasOrder) {
  const TensorDataset data = blobs(4), validation = blobs(2);
  Diary diary;
  classifier().fit(data, {.batch_size = 2,
                          .epochs = 2,
                          .verbose = Verbose::silent,
                          .callbacks = {&diary},
                          .validation_data = validation,
                          .validation_freq = 2});
  EXPECT_EQ(
      diary.lines,
      (Lines{"train begin 2 x 2", "epoch begin 0", "batch begin 0", "batch end 0 loss accuracy", "batch begin 1",
             "batch end 1 loss accuracy", "epoch end 0 loss accuracy", "epoch begin 1", "batch begin 0",
             "batch end 0 loss accuracy", "batch begin 1", "batch end 1 loss accuracy", "test begin",
             "test batch begin 0", "test batch end 0 loss accuracy", "test end loss accuracy",
             "epoch end 1 loss accuracy val_loss val_accuracy", "train end loss accuracy val_loss val_accuracy"}));
}

TEST(Hooks, OfEvaluateAndPredict) {
  const TensorDataset data = blobs(3);
  Sequential model = classifier();
  Diary diary;
  model.evaluate(data, {.batch_size = 2}, {&diary});
  EXPECT_EQ(diary.lines, (Lines{"test begin", "test batch begin 0", "test batch end 0 loss accuracy",
                                "test batch begin 1", "test batch end 1 loss accuracy", "test end loss accuracy"}));
  diary.lines.clear();
  EXPECT_EQ(model.predict(data.x(), {.batch_size = 2}, {&diary}), model.predict(data.x(), {.batch_size = 2}));
  EXPECT_EQ(diary.lines, (Lines{"predict begin", "predict batch begin 0", "predict batch end 0",
                                "predict batch begin 1", "predict batch end 1", "predict end"}));
}

TEST(Hooks, BeginHooksAlwaysGetEmptyLogs) {
  const auto put = [](cornu::Run&, Index, Logs& logs) {
    EXPECT_TRUE(logs.empty());
    logs.set("mine", 1);
  };
  const LambdaCallback putting{
      .on_epoch_begin = put, .on_train_batch_begin = put, .on_test_batch_begin = put, .on_predict_batch_begin = put};
  const TensorDataset data = blobs(6);
  Sequential model = classifier();
  const History history = model.fit(data, {.batch_size = 2,
                                           .epochs = 2,
                                           .verbose = Verbose::silent,
                                           .callbacks = {putting},
                                           .validation_data = data,
                                           .validation_batch_size = 2});
  EXPECT_FALSE(history.history.contains("mine"));
  model.predict(data.x(), {.batch_size = 2}, {putting});
}

TEST(Hooks, CallbacksAreCalledInOrder) {
  std::string order;
  const auto note = [&](char c) {
    return LambdaCallback{.on_train_begin = [&order, c](cornu::Run&, Logs&) { order += c; }};
  };
  const TensorDataset data = blobs(4);
  classifier().fit(data, {.verbose = Verbose::silent, .callbacks = {note('a'), note('b'), note('c')}});
  EXPECT_EQ(order, "abc");
}

TEST(Hooks, ValuesAddedByEpochEndAreInTheHistory) {
  const LambdaCallback adds{.on_epoch_end = [](cornu::Run&, Index epoch, Logs& logs) {
    logs.set("squared", static_cast<double>(epoch * epoch));
  }};
  const TensorDataset data = blobs(4);
  const History history = classifier().fit(data, {.epochs = 3, .verbose = Verbose::silent, .callbacks = {adds}});
  EXPECT_EQ(history["squared"], (std::vector<double>{0, 1, 4}));
}

TEST(Hooks, StopTrainingEndsTheRunAfterTheBatch) {
  struct Stop {
    Index at, batches = 0;
    void on_train_batch_end(cornu::Run& run, Index, Logs&) { run.stop_training = ++batches == at; }
  };
  Stop stop{.at = 3};
  const TensorDataset data = blobs(8);
  Sequential model = classifier();
  const History history = model.fit(
      data, {.batch_size = 4, .epochs = 5, .verbose = Verbose::silent, .callbacks = {&stop}, .validation_data = data});
  EXPECT_EQ(stop.batches, 3);
  EXPECT_EQ(model.optimizer().iterations(), 3);
  EXPECT_EQ(history.epoch, (std::vector<Index>{0, 1}));
  EXPECT_EQ(history["val_loss"].size(), 2U);
  EXPECT_FALSE(history.interrupted);
}

// ---- What a callback does to the model ----

TEST(Hooks, ACallbackMayEvaluatePredictAndTrainOnBatch) {
  const TensorDataset data = blobs(8), other = blobs(4, 9);
  struct Busy {
    const TensorDataset *data, *other;
    void on_train_batch_end(cornu::Run& run, Index, Logs&) {
      run.model.evaluate(*data);
      run.model.predict(data->x());
      run.model.train_on_batch(other->x(), other->y());
    }
  };
  Sequential model = classifier(), by_hand = model;
  const History history = model.fit(
      data,
      {.batch_size = 4, .epochs = 2, .verbose = Verbose::silent, .callbacks = {Busy{&data, &other}}, .shuffle = false});
  std::vector<double> losses;
  const auto rows = [](const Tensor& t, Index first) {
    const Shape shape = t.shape().with(0, 4);
    return Tensor(ConstView(t.data() + first * shape.sub(1).size(), shape));
  };
  for (int epoch = 0; epoch < 2; ++epoch) {
    double total = 0;
    for (const Index first : {0, 4}) {
      total += by_hand.train_on_batch(rows(data.x(), first), rows(data.y(), first))["loss"];
      by_hand.train_on_batch(other.x(), other.y());
    }
    losses.push_back(total / 2);
  }
  EXPECT_EQ(model.get_weights(), by_hand.get_weights());
  EXPECT_EQ(history["loss"], losses);
}

TEST(Hooks, ACallbackMayAssignToTheModel) {
  const TensorDataset data = blobs(8);
  struct Restore {  // restores the weights of the first epoch's end
    std::optional<Sequential> kept{};
    void on_epoch_end(cornu::Run& run, Index epoch, Logs&) {
      if (epoch == 0) kept = run.model;
    }
    void on_train_end(cornu::Run& run, Logs&) { run.model = *kept; }
  };
  Restore restore;
  Sequential model = classifier();
  model.fit(data, {.epochs = 4, .verbose = Verbose::silent, .callbacks = {&restore}, .validation_data = data});
  EXPECT_EQ(model.get_weights(), restore.kept->get_weights());
  EXPECT_EQ(model.optimizer().iterations(), 1);
}

TEST(Hooks, ACallbackMayAssignToTheModelDuringTheRun) {
  const TensorDataset data = blobs(8);
  const Sequential start = classifier();
  const LambdaCallback reset{.on_train_batch_end = [&](cornu::Run& run, Index, Logs&) { run.model = start; }};
  Sequential model = start;
  const History history = model.fit(data, {.batch_size = 8,
                                           .epochs = 3,
                                           .verbose = Verbose::silent,
                                           .callbacks = {reset},
                                           .validation_data = data,
                                           .shuffle = false});
  EXPECT_EQ(model.get_weights(), start.get_weights());
  EXPECT_EQ(history["loss"], std::vector<double>(3, history["loss"][0]));
  EXPECT_EQ(history["val_loss"], std::vector<double>(3, history["loss"][0]));
}

TEST(Hooks, ACallbackMayRecompileTheModel) {
  const TensorDataset data = blobs(8);
  const LambdaCallback freeze{.on_epoch_begin = [](cornu::Run& run, Index epoch, Logs&) {
    if (epoch == 1) {
      run.model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = SparseCategoricalCrossentropy{}});
    }
  }};
  const FitOptions quiet{.batch_size = 4, .epochs = 1, .verbose = Verbose::silent};
  Sequential model = classifier(), once = model;
  FitOptions frozen = quiet;
  frozen.epochs = 3;
  frozen.callbacks = {freeze};
  model.fit(data, frozen);
  once.fit(data, quiet);
  EXPECT_EQ(model.get_weights(), once.get_weights());
}

TEST(Hooks, ACallbackThatChangesTheModelsInputEndsTheRunWithAnError) {
  const TensorDataset data = blobs(8);
  const LambdaCallback replace{.on_epoch_begin = [](cornu::Run& run, Index, Logs&) {
    const CompileOptions options{.loss = SparseCategoricalCrossentropy{}};
    run.model = Sequential{Input{5}, Dense{3}, Softmax{}};
    run.model.compile(options);
  }};
  Sequential model = classifier();
  expect_error<ShapeError>(
      [&] { model.fit(data, {.verbose = Verbose::silent, .callbacks = {replace}}); },
      "fit, epoch 1 of 1, batch 1 of 1: sequential: an input of shape (8, 2); (8, 5) is required, batch first");
  const LambdaCallback uncompiled{
      .on_epoch_begin = [](cornu::Run& run, Index, Logs&) { run.model = Sequential{Input{2}}; }};
  const LambdaCallback at_test{.on_test_begin = [](cornu::Run& run, Logs&) { run.model = Sequential{Input{2}}; }};
  Sequential other = classifier(), third = classifier();
  expect_error<StateError>([&] { other.fit(data, {.verbose = Verbose::silent, .callbacks = {uncompiled}}); },
                           "fit, epoch 1 of 1, batch 1 of 1: sequential: not compiled yet; call compile first");
  expect_error<StateError>([&] { third.evaluate(data, {}, {at_test}); },
                           "sequential: not compiled yet; call compile first");
}

TEST(Hooks, ACallbackThatChangesTheOutputsOfPredictIsAnError) {
  struct Pop {
    void on_predict_batch_begin(cornu::Run& run, Index batch, Logs&) {
      if (batch == 1) {
        run.model.pop();
        run.model.pop();
      }
    }
  };
  Sequential model = classifier();
  const Tensor x = blobs(6).x();
  expect_error<ShapeError>(
      [&] { model.predict(x, {.batch_size = 3}, {Pop{}}); },
      "sequential: predict: outputs are (3, 8); samples of shape (3,) are expected (did a callback change the model?)");
}

}  // namespace
}  // namespace cornu
