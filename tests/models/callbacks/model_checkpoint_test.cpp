#include "cornu/models/callbacks/model_checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cornu/core/error.h"
#include "cornu/tests/models/callbacks/line_model.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::expect_error;
using testing::line_data;
using testing::line_model;
using testing::quiet;
using testing::TemporaryFolder;

std::vector<std::string> sorted_names(const TemporaryFolder& folder) {
  std::vector<std::string> names = folder.names();
  std::sort(names.begin(), names.end());
  return names;
}

/// Logs one value per epoch as "score".
struct LoggedScores {
  std::vector<double> values;
  void on_epoch_end(Run&, Index epoch, Logs& logs) const {
    logs.set("score", values.at(static_cast<std::size_t>(epoch)));
  }
};

TEST(ModelCheckpoint, SavesTheWholeModelEveryEpoch) {
  const TemporaryFolder folder;
  Sequential model = line_model();
  model.fit(line_data, quiet(3, {ModelCheckpoint{.filepath = (folder / "{epoch:02d}.safetensors").string()}}));
  EXPECT_EQ(sorted_names(folder), (std::vector<std::string>{"01.safetensors", "02.safetensors", "03.safetensors"}));
  EXPECT_EQ(Sequential::load(folder / "03.safetensors").get_weights(), model.get_weights());
  // Training continues from each checkpoint.
  Sequential second = Sequential::load(folder / "02.safetensors");
  FitOptions rest = quiet(3, {});
  rest.initial_epoch = 2;
  second.fit(line_data, rest);
  EXPECT_EQ(second.get_weights(), model.get_weights());
}

TEST(ModelCheckpoint, NamesFilesByTheLogsAndCreatesTheirFolders) {
  const TemporaryFolder folder;
  Sequential model = line_model();
  ModelCheckpoint checkpoint{.filepath = (folder / "a/b/{epoch}-{score:.2f}-{batch}").string()};
  model.fit(line_data, quiet(1, {LoggedScores{{0.123}}, &checkpoint}));
  EXPECT_EQ(checkpoint.last_saved, (folder / "a/b/1-0.12-4").string());
  EXPECT_TRUE(std::filesystem::exists(checkpoint.last_saved));
}

TEST(ModelCheckpoint, SavesOnlyTheBest) {
  const auto saved = [](ModelCheckpoint checkpoint, std::vector<double> values) {
    const TemporaryFolder folder;
    checkpoint.filepath = (folder / "{epoch}").string();
    checkpoint.save_best_only = true;
    Sequential model = line_model();
    const auto epochs = static_cast<Index>(values.size());
    model.fit(line_data, quiet(epochs, {LoggedScores{std::move(values)}, checkpoint}));
    return sorted_names(folder);
  };
  using Names = std::vector<std::string>;
  using enum MonitorMode;
  EXPECT_EQ(saved({.filepath = "", .monitor = "score", .mode = min}, {3, 4, 2, 2, 1}), (Names{"1", "3", "5"}));
  EXPECT_EQ(saved({.filepath = "", .monitor = "score", .mode = max}, {3, 4, 2, 4, 5}), (Names{"1", "2", "5"}));
  EXPECT_EQ(saved({.filepath = "", .monitor = "score", .mode = min, .initial_value_threshold = 2.5}, {3, 2, 1}),
            (Names{"2", "3"}));
  EXPECT_EQ(saved({.filepath = "", .monitor = "score", .mode = min}, {std::nan(""), 2}), (Names{"2"}));
}

TEST(ModelCheckpoint, SavesEverySaveFreqBatches) {
  const TemporaryFolder folder;
  Sequential model = line_model();
  model.fit(line_data, quiet(3, {ModelCheckpoint{.filepath = (folder / "{epoch}.{batch}").string(), .save_freq = 5}}));
  EXPECT_EQ(sorted_names(folder), (std::vector<std::string>{"2.1", "3.2"}));  // four batches an epoch
}

TEST(ModelCheckpoint, SavesOnlyTheWeights) {
  const TemporaryFolder folder;
  Sequential model = line_model(), other = line_model();
  // A loss without a name cannot be saved, but weights alone can.
  model.compile({.loss = [](Var p, Var y) { return mean(square(p - y), -1); }});
  model.fit(line_data, quiet(1, {ModelCheckpoint{.filepath = (folder / "w").string(), .save_weights_only = true}}));
  EXPECT_TRUE(other.load_weights(folder / "w"));
  EXPECT_EQ(other.get_weights(), model.get_weights());
}

TEST(ModelCheckpoint, NamesWhatTheLogsLack) {
  Sequential model = line_model();
  expect_error<ValueError>(
      [&] { model.fit(line_data, quiet(1, {ModelCheckpoint{.filepath = "{epoch}-{acc}"}})); },
      "ModelCheckpoint: filepath \"{epoch}-{acc}\": argument not found; available fields: epoch, batch, loss");
  expect_error<ValueError>(
      [&] { model.fit(line_data, quiet(1, {ModelCheckpoint{.filepath = "x", .save_best_only = true}})); },
      "ModelCheckpoint: there is no \"val_loss\" to monitor; there are: loss (fit was given neither validation_data "
      "nor validation_split)");
  expect_error<ValueError>([&] { model.fit(line_data, quiet(1, {ModelCheckpoint{.filepath = "x", .save_freq = -1}})); },
                           "ModelCheckpoint: save_freq is -1; it must not be negative");
}

}  // namespace
}  // namespace cornu
