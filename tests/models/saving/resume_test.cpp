#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "cornu/layers/regularization/dropout.h"
#include "cornu/models/callbacks/backup_and_restore.h"
#include "cornu/models/callbacks/callbacks.h"
#include "cornu/models/callbacks/model_checkpoint.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

// Interrupted runs that are resumed: by hand from a file, or by BackupAndRestore after kill -9.

namespace cornu {
namespace {

using testing::blobs;
using testing::error_of;
using testing::expect_error;
using testing::TemporaryFolder;

/// A model with everything that could go wrong: noise, slots, a schedule, a frozen layer.
Sequential noisy_model(bool use_ema = false) {
  Sequential model({Input{2}, Dense{8, relu}, Dropout{0.3}, {"still", Dense{8, tanh}}, Dense{3}, Softmax{}},
                   {.seed = 7});
  model.compile(
      {.optimizer = {Adam{.learning_rate = ExponentialDecay{0.05, 5, 0.9}, .amsgrad = true}, {.use_ema = use_ema}},
       .loss = SparseCategoricalCrossentropy{},
       .metrics = {Accuracy{}, Precision{}, SparseCategoricalCrossentropy{}}});
  return model;
}

FitOptions run_of(Index epochs, std::vector<AnyCallback> callbacks = {}) {
  return {.batch_size = 8,
          .epochs = epochs,
          .verbose = Verbose::silent,
          .callbacks = std::move(callbacks),
          .validation_split = 0.2,
          .seed = 11,
          .threads = 1};
}

TEST(Resuming, ALoadedModelTrainsLikeTheOriginal) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(60);
  Sequential through = noisy_model(), stopped = noisy_model();
  const History whole = through.fit(data, run_of(5));
  stopped.fit(data, run_of(2));
  stopped.save(folder / "m");
  Sequential resumed = Sequential::load(folder / "m");
  FitOptions rest = run_of(5);
  rest.initial_epoch = 2;
  const History history = resumed.fit(data, rest);
  EXPECT_EQ(resumed.get_weights(), through.get_weights());
  EXPECT_EQ(resumed.optimizer().iterations(), through.optimizer().iterations());
  for (std::size_t i = 0; i < through.optimizer().state().size(); ++i) {
    EXPECT_EQ(resumed.optimizer().state()[i], through.optimizer().state()[i]);
  }
  EXPECT_EQ(history["loss"], (std::vector<double>(whole["loss"].begin() + 2, whole["loss"].end())));
  EXPECT_EQ(history["val_accuracy"],
            (std::vector<double>(whole["val_accuracy"].begin() + 2, whole["val_accuracy"].end())));
}

TEST(Resuming, ACheckpointStoresTheWeightsAndTheirAverages) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(60);
  const std::string during = (folder / "during").string(), after = (folder / "after").string();
  Sequential through = noisy_model(true), stopped = noisy_model(true);
  through.fit(data, run_of(5));
  stopped.fit(data, run_of(2, {ModelCheckpoint{.filepath = during}}));
  stopped.save(after);
  const auto learnt_on = [&](const std::string& file) {
    Sequential model = Sequential::load(file);
    FitOptions rest = run_of(5);
    rest.initial_epoch = 2;
    model.fit(data, rest);
    return model.get_weights();
  };
  EXPECT_EQ(learnt_on(during), through.get_weights());
  EXPECT_NE(learnt_on(after), through.get_weights());  // it started from the averages
}

TEST(Resuming, ASetLearningRateAndTrainOnBatchContinue) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(20);
  Sequential through = noisy_model();
  through.train_on_batch(data.x(), data.y());
  through.optimizer().set_learning_rate(0.125);
  through.save(folder / "m");
  Sequential resumed = Sequential::load(folder / "m");
  EXPECT_EQ(resumed.optimizer().learning_rate(), 0.125);
  for (int i = 0; i < 3; ++i) {
    through.train_on_batch(data.x(), data.y());
    resumed.train_on_batch(data.x(), data.y());
  }
  EXPECT_EQ(resumed.get_weights(), through.get_weights());
}

// ---- Runs that are killed ----

/// Ends the process at once, like kill -9, after this many batches of the process.
struct Killer {
  Index batches;
  void on_train_batch_end(cornu::Run&, Index, Logs&) {
    if (--batches == 0) static_cast<void>(raise(SIGKILL));
  }
};
/// The same at the end of an epoch, before other callbacks are called.
struct EpochKiller {
  Index epoch;
  void on_epoch_end(cornu::Run&, Index at, Logs&) const {
    if (at == epoch) static_cast<void>(raise(SIGKILL));
  }
};
/// Computes each epoch's rate from the previous one, so that doing it twice would show.
struct HalvingRate {
  void on_epoch_begin(cornu::Run& run, Index epoch, Logs&) const {
    Optimizer& optimizer = run.model.optimizer();
    if (epoch > 0) optimizer.set_learning_rate(optimizer.learning_rate() / 2);
  }
};

/// The result of a complete run: the weights and the optimizer's state.
struct RunResult {
  std::vector<Tensor> weights, state;
  Index iterations = 0;
};
RunResult outcome_of(Sequential& model) {
  const auto state = model.optimizer().state();
  return {model.get_weights(), {state.begin(), state.end()}, model.optimizer().iterations()};
}
void expect_same_result(const RunResult& a, const RunResult& b) {
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.iterations, b.iterations);
}

/// Runs fit in a child process, which must kill itself.
void expect_killed(const std::filesystem::path& backup, Index save_freq, AnyCallback killer, bool use_ema = false) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const TensorDataset data = blobs(60);
    Sequential model = noisy_model(use_ema);
    model.fit(data, run_of(4, {HalvingRate{}, BackupAndRestore{.backup_dir = backup, .save_freq = save_freq}, killer}));
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the run was not killed";
}

class KilledRun : public ::testing::TestWithParam<Index> {
 public:
  /// Resumes the run; everything must be as in a run that was not interrupted.
  static void expect_ends_alike(const std::filesystem::path& backup, Index save_freq, bool use_ema = false) {
    const TensorDataset data = blobs(60);
    Sequential through = noisy_model(use_ema), resumed = noisy_model(use_ema);
    struct Nothing {
      void on_epoch_end(cornu::Run&, Index, Logs&) {}
    };
    const History whole = through.fit(data, run_of(4, {HalvingRate{}, Nothing{}, Nothing{}}));
    const History history = resumed.fit(
        data, run_of(4, {HalvingRate{}, BackupAndRestore{.backup_dir = backup, .save_freq = save_freq}, Nothing{}}));
    expect_same_result(outcome_of(resumed), outcome_of(through));
    EXPECT_EQ(history.epoch, whole.epoch);
    EXPECT_EQ(history.history, whole.history);
    EXPECT_FALSE(std::filesystem::exists(backup)) << "the backup of a complete run is deleted";
  }
};

// Six batches per epoch.
INSTANTIATE_TEST_SUITE_P(AfterBatches, KilledRun, ::testing::Values(1, 5, 6, 7, 11, 12, 13, 23, 24));

TEST_P(KilledRun, ContinuesFromThePreviousEpoch) {
  const TemporaryFolder folder;
  expect_killed(folder / "backup", 0, Killer{GetParam()});
  expect_ends_alike(folder / "backup", 0);
}

TEST_P(KilledRun, ContinuesWithinAnEpoch) {
  const TemporaryFolder folder;
  expect_killed(folder / "backup", 2, Killer{GetParam()});
  expect_ends_alike(folder / "backup", 2);
}

TEST_P(KilledRun, KeepsTheAveragesOfTheWeights) {
  const TemporaryFolder folder;
  expect_killed(folder / "backup", 1, Killer{GetParam()}, true);
  expect_ends_alike(folder / "backup", 1, true);
}

TEST(KilledRuns, MayBeKilledAgainAndAgain) {
  const TemporaryFolder folder;
  expect_killed(folder / "backup", 1, Killer{3});
  expect_killed(folder / "backup", 1, Killer{1});  // it is killed before it can save
  expect_killed(folder / "backup", 1, EpochKiller{0});
  expect_killed(folder / "backup", 1, EpochKiller{0});
  expect_killed(folder / "backup", 1, Killer{9});
  expect_killed(folder / "backup", 1, EpochKiller{3});
  KilledRun::expect_ends_alike(folder / "backup", 1);
}

/// Ends the process when everything is trained and saved, before fit returns.
struct EndKiller {
  void on_train_end(cornu::Run&, Logs&) const { static_cast<void>(raise(SIGKILL)); }
};

TEST(KilledRuns, KilledAfterTheLastEpochEndWithTheAverages) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(60);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    noisy_model(true).fit(data, run_of(4, {EndKiller{}, HalvingRate{}, BackupAndRestore{folder / "backup"}}));
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  Sequential through = noisy_model(true), resumed = noisy_model(true);
  through.fit(data, run_of(4, {HalvingRate{}}));
  Index batches = 0;
  const LambdaCallback counting{.on_train_batch_end = [&](cornu::Run&, Index, Logs&) { ++batches; }};
  resumed.fit(data, run_of(4, {counting, HalvingRate{}, BackupAndRestore{folder / "backup"}}));
  EXPECT_EQ(batches, 0);
  expect_same_result(outcome_of(resumed), outcome_of(through));
}

TEST(KilledRuns, OtherCallbacksKeepTheirState) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(60);
  const auto early = [] {
    return EarlyStopping{.monitor = "val_accuracy", .patience = 3, .restore_best_weights = true};
  };
  Sequential through = noisy_model(), resumed = noisy_model();
  EarlyStopping expected = early(), got = early();
  through.fit(data, run_of(20, {&expected}));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    noisy_model().fit(data, run_of(20, {early(), BackupAndRestore{folder / "backup"}, EpochKiller{3}}));
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  struct Nothing {
    void on_epoch_end(cornu::Run&, Index, Logs&) {}
  };
  const History history = resumed.fit(data, run_of(20, {&got, BackupAndRestore{folder / "backup"}, Nothing{}}));
  EXPECT_EQ(resumed.get_weights(), through.get_weights());
  EXPECT_EQ(got.best_epoch, expected.best_epoch);
  EXPECT_EQ(got.stopped_epoch, expected.stopped_epoch);
  EXPECT_EQ(got.wait, expected.wait);
  ASSERT_LT(expected.best_epoch, 4) << "otherwise this test does not show that state was restored";
}

/// The final contents of the CSV file, after a run that was killed and resumed, and after one that was not.
void expect_the_same_log(const LambdaCallback& killer, Index save_freq, bool append) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(60);
  const std::string earlier =
      "epoch,accuracy,loss,precision,sparse_categorical_crossentropy,val_accuracy,val_loss,"
      "val_precision,val_sparse_categorical_crossentropy\n7,1,2,3,4,5,6,7,8\n";
  const auto run = [&](const char* name, std::vector<AnyCallback> more) {
    more.insert(more.begin(), CSVLogger{.filename = folder / name, .append = append});
    noisy_model().fit(data, run_of(4, std::move(more)));
  };
  for (const char* const name : {"whole", "parts"}) std::ofstream(folder / name) << earlier;
  const BackupAndRestore backup{.backup_dir = folder / "backup", .save_freq = save_freq};
  run("whole", {});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    run("parts", {backup, killer});
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  std::ofstream(folder / "parts", std::ios::app) << "3,0.";  // an incomplete row
  run("parts", {backup, LambdaCallback{}});
  EXPECT_EQ(testing::content(folder / "parts"), testing::content(folder / "whole"));
}

TEST(KilledRuns, ContinueTheirLog) {
  const auto kill = [] { static_cast<void>(raise(SIGKILL)); };
  for (const bool append : {false, true}) {
    for (const Index save_freq : {0, 2}) {
      SCOPED_TRACE(message("{} {}", append, save_freq));
      expect_the_same_log({.on_epoch_end =
                               [=](cornu::Run&, Index epoch, Logs&) {
                                 if (epoch == 2) kill();  // after its row, before the backup
                               }},
                          save_freq, append);
      expect_the_same_log({.on_train_batch_end =
                               [=](cornu::Run& at, Index batch, Logs&) {
                                 if (at.epoch == 1 && batch == 4) kill();
                               }},
                          save_freq, append);
    }
  }
}

TEST(BackupAndRestore, ARunThatWasStoppingStops) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(60);
  struct Stopping {
    void on_epoch_end(cornu::Run& run, Index epoch, Logs&) const { run.stop_training = epoch == 1; }
  };
  const BackupAndRestore keeping{.backup_dir = folder / "backup", .delete_checkpoint = false};
  Sequential model = noisy_model();
  EXPECT_EQ(model.fit(data, run_of(4, {Stopping{}, keeping})).epoch, (std::vector<Index>{0, 1}));
  const std::vector<Tensor> weights = model.get_weights();
  EXPECT_TRUE(std::filesystem::exists(folder / "backup"));
  Sequential again = noisy_model();
  EXPECT_EQ(again.fit(data, run_of(4, {Stopping{}, keeping})).epoch, (std::vector<Index>{0, 1}));
  EXPECT_EQ(again.get_weights(), weights);
}

// 60 samples, 48 of them for training: 6 batches per epoch. Backups follow batches 2 and 4 of an epoch (from 0: 1 and
// 3), and the last batch, which also ends the epoch.
TEST(BackupAndRestore, ARunEndedByCtrlCContinuesWithTheSameBits) {
  const auto former = std::signal(SIGINT, SIG_DFL);
  const TensorDataset data = blobs(60);
  Sequential whole = noisy_model();
  const History expected = whole.fit(data, run_of(4));
  for (const Index last : {2, 3, 5}) {  // between two backups, at a backup, at a backup and the end of the epoch
    SCOPED_TRACE(last);
    const TemporaryFolder folder;
    const BackupAndRestore backup{.backup_dir = folder / "backup", .save_freq = 2};
    Index current = 0;
    const LambdaCallback ctrl_c{.on_epoch_begin = [&](cornu::Run&, Index epoch, Logs&) { current = epoch; },
                                .on_train_batch_end =
                                    [&](cornu::Run&, Index batch, Logs&) {
                                      if (current == 1 && batch == last) std::raise(SIGINT);
                                    }};
    EXPECT_TRUE(noisy_model().fit(data, run_of(4, {backup, ctrl_c})).interrupted);
    Sequential resumed = noisy_model();
    Index batches = 0;
    const LambdaCallback counting{.on_train_batch_end = [&](cornu::Run&, Index, Logs&) { ++batches; }};
    const History history = resumed.fit(data, run_of(4, {backup, counting}));
    EXPECT_FALSE(history.interrupted);
    EXPECT_EQ(batches, 24 - (6 + last + 1) / 2 * 2) << "only batches since the last backup are repeated";
    EXPECT_EQ(resumed.get_weights(), whole.get_weights());
    EXPECT_EQ(history["loss"], expected["loss"]);
    EXPECT_EQ(history["val_accuracy"], expected["val_accuracy"]);
  }
  std::signal(SIGINT, former);
}

TEST(BackupAndRestore, MoreEpochsMayBeRequestedAfterwards) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(60);
  const BackupAndRestore keeping{.backup_dir = folder / "backup", .delete_checkpoint = false};
  Sequential through = noisy_model(), first = noisy_model(), second = noisy_model();
  through.fit(data, run_of(4));
  first.fit(data, run_of(2, {keeping}));
  EXPECT_EQ(second.fit(data, run_of(4, {keeping})).epoch.size(), 4U);
  EXPECT_EQ(second.get_weights(), through.get_weights());
}

/// A metric without `state`.
struct Silent {
  void reset() {}
  void update(ConstView, ConstView) {}
  double result() const { return 0; }
};

TEST(BackupAndRestore, ErrorsSayWhatDoesNotMatch) {
  const TemporaryFolder folder;
  const TensorDataset data = blobs(60);
  const BackupAndRestore keeping{.backup_dir = folder / "backup", .delete_checkpoint = false};
  const std::string path = (folder / "backup" / "backup.safetensors").string();
  Sequential model = noisy_model();
  model.fit(data, run_of(1, {keeping}));
  FitOptions larger = run_of(2, {keeping});
  larger.batch_size = 48;
  expect_error<ValueError>([&] { noisy_model().fit(data, larger); },
                           path + ": the interrupted run has 6 batches per epoch, this one has 1");
  expect_error<ValueError>(
      [&] {
        noisy_model().fit(data, run_of(2, {keeping, HalvingRate{}}));
      },
      path + ": the interrupted run has 1 callbacks, this one has 2");
  Sequential other{Input{2}, Dense{3}};
  other.compile({.loss = SparseCategoricalCrossentropy{.from_logits = true}});
  EXPECT_TRUE(error_of<ValueError>([&] {
                other.fit(data, run_of(2, {keeping}));
              }).starts_with(path + ": the weights do not fit: unexpected: "));
  other.compile({.loss = SparseCategoricalCrossentropy{.from_logits = true}, .metrics = {Silent{}}});
  expect_error<StateError>(
      [&] { other.fit(data, run_of(1, {BackupAndRestore{.backup_dir = folder / "other", .save_freq = 2}})); },
      "tally: silent: the metric silent cannot be saved, because it has no `void state(auto& visit)`");
  EXPECT_NO_THROW(other.fit(data, run_of(1, {BackupAndRestore{.backup_dir = folder / "other"}})));
  expect_error<ValueError>(
      [&] {
        other.fit(data, run_of(1, {BackupAndRestore{folder / "b", -1}}));
      },
      "BackupAndRestore: save_freq is -1; it must not be negative");
}

}  // namespace
}  // namespace cornu
