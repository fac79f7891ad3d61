#include "cornu/models/callbacks/tensor_board.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cornu/tests/formats/event_reader.h"
#include "cornu/tests/models/callbacks/line_model.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::Event;
using testing::line_data;
using testing::line_model;
using testing::quiet;
using testing::TemporaryFolder;

/// The events of the only file in a folder, without the version.
std::vector<Event> events_in(const std::filesystem::path& folder) {
  std::vector<Event> events;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_TRUE(events.empty()) << "there should be one file";
    events = testing::read_events(entry.path());
  }
  if (!events.empty()) events.erase(events.begin());
  return events;
}

std::vector<Event> with_tag(const std::vector<Event>& events, const std::string& tag) {
  std::vector<Event> result;
  std::copy_if(events.begin(), events.end(), std::back_inserter(result), [&](const Event& e) { return e.tag == tag; });
  return result;
}

TEST(TensorBoard, WritesTheLogsOfEpochs) {
  const TemporaryFolder folder;
  Sequential model = line_model(SGD{.learning_rate = 0.25});
  FitOptions options = quiet(3, {TensorBoard{.log_dir = folder / "logs"}});
  options.validation_data = &line_data;
  const History history = model.fit(line_data, options);
  const std::vector<Event> train = events_in(folder / "logs/train"), validation = events_in(folder / "logs/validation");
  EXPECT_EQ(train.size(), 6u);
  EXPECT_EQ(validation.size(), 3u);
  for (const auto& [name, events] : {std::pair{"loss", train}, {"val_loss", validation}}) {
    const std::vector<Event> loss = with_tag(events, "epoch_loss");
    ASSERT_EQ(loss.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(loss[i].step, static_cast<std::int64_t>(i));
      EXPECT_EQ(loss[i].value, static_cast<float>(history[name][i]));
    }
  }
  EXPECT_EQ(with_tag(train, "epoch_learning_rate").at(2).value, 0.25F);
}

TEST(TensorBoard, WritesTheLogsOfBatchesIfRequested) {
  const TemporaryFolder folder;
  Sequential model = line_model();
  model.fit(line_data, quiet(2, {TensorBoard{.log_dir = folder.path(), .update_freq = 3}}));  // 4 batches an epoch
  const std::vector<Event> losses = with_tag(events_in(folder / "train"), "batch_loss");
  std::vector<std::int64_t> steps;
  for (const Event& event : losses) steps.push_back(event.step);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{0, 3, 4, 7}));
}

TEST(TensorBoard, WritesHistogramsOfTheWeightsIfRequested) {
  const TemporaryFolder folder;
  Sequential model = line_model();
  model.fit(line_data, quiet(3, {TensorBoard{.log_dir = folder.path(), .histogram_freq = 2}}));
  const std::vector<Event> events = events_in(folder / "train");
  const std::vector<Event> kernels = with_tag(events, "dense/kernel/histogram");
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[1].step, 2);
  EXPECT_EQ(kernels[1].min, static_cast<double>(model.get_weights()[0][0]));
  EXPECT_EQ(with_tag(events, "dense/bias/histogram").size(), 2u);
}

TEST(TensorBoard, IsResetByEachFit) {
  const TemporaryFolder folder;
  Sequential model = line_model();
  TensorBoard board{.log_dir = folder.path()};
  for (int i = 0; i < 2; ++i) model.fit(line_data, quiet(1, {&board}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "train"), {}), 2);
}

TEST(TensorBoard, RefusesInvalidOptions) {
  Sequential model = line_model();
  EXPECT_EQ(error_of<ValueError>([&] { model.fit(line_data, quiet(1, {TensorBoard{.update_freq = -1}})); }),
            "TensorBoard: histogram_freq is 0 and update_freq -1; neither may be negative");
}

}  // namespace
}  // namespace cornu
