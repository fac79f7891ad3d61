#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>

#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/every_schedule.h"
#include "cornu/tests/support/registered.h"
#include "cornu/tests/support/temporary_folder.h"

// Everything with state (layers, optimizers with their schedules, callbacks) continues from a file and as a copy as if
// uninterrupted. Each table lists all types of its kind.

namespace cornu {
namespace {

using testing::normal;
using testing::TemporaryFolder;

Sequential from_file(const Sequential& model) {
  const TemporaryFolder folder;
  model.save(folder / "model");
  return Sequential::load(folder / "model");
}

std::set<std::string> without(std::vector<std::string> names, const std::vector<std::string>& but) {
  std::set<std::string> result(names.begin(), names.end());
  for (const std::string& name : but) result.erase(name);
  return result;
}

/// Expects the model, a copy and one loaded from a file to be the same after `more`.
template <class More>
void expect_to_go_on(Sequential model, More more) {
  Sequential copy = model, loaded = from_file(model);
  more(model);
  more(copy);
  more(loaded);
  for (Sequential* other : {&copy, &loaded}) {
    EXPECT_EQ(other->get_weights(), model.get_weights());
    EXPECT_EQ(other->optimizer().iterations(), model.optimizer().iterations());
    EXPECT_EQ(other->optimizer().learning_rate(), model.optimizer().learning_rate());
    const auto mine = model.optimizer().state(), theirs = other->optimizer().state();
    ASSERT_EQ(theirs.size(), mine.size());
    for (std::size_t i = 0; i < mine.size(); ++i) EXPECT_EQ(theirs[i], mine[i]);
  }
}

// ---- Layers ----

TEST(Continuing, EveryLayerContinuesFromAFile) {
  std::set<std::string> here;
  for (const auto& [layer, input] : testing::every_layer()) {
    SCOPED_TRACE(layer.type());
    here.emplace(layer.type());
    const bool is_embedding = layer.type() == "Embedding";
    const Tensor x = is_embedding ? Tensor(input.batched(9)) : normal(input.batched(9));
    const TensorDataset data(x, testing::labels(9));
    Sequential model;
    model.add(Input(input));
    if (!is_embedding) model.add(Dropout{0.1});
    model.add(layer);
    model.add(Flatten{});
    model.add(Dense{3});
    model.compile(
        {.optimizer = Adam{.learning_rate = 0.05}, .loss = SparseCategoricalCrossentropy{.from_logits = true}});
    // A layer's adapted statistics are also state.
    const auto learn = [&](Sequential& learner) {
      for (const auto& [name, inner] : learner.layers()) {
        if (auto* const normalization = inner->as<Normalization>()) normalization->update_state(x);
      }
      learner.fit(data, {.batch_size = 4, .epochs = 2, .verbose = Verbose::silent, .threads = 1});
    };
    learn(model);
    expect_to_go_on(model, learn);
  }
  EXPECT_EQ(here, without(testing::registered_layers, {"Inputs"}));  // Inputs only states the input shapes
}

/// The mean of all data that a Normalization was adapted to, before and after a trip through a file.
TEST(Continuing, AnAdaptedLayerKeepsItsCountInAFile) {
  const Tensor x = normal({100, 3});
  Normalization layer;
  layer.update_state(slice_axis(x, 0, 0, 90));
  const Sequential model{Input{3}, layer};
  Sequential loaded = from_file(model);
  auto& back = *loaded.get_layer(0).as<Normalization>();
  EXPECT_EQ(back.count, 90);
  back.update_state(slice_axis(x, 0, 90, 100));
  layer.update_state(slice_axis(x, 0, 90, 100));
  EXPECT_EQ(back.mean.value, layer.mean.value);
  EXPECT_EQ(back.variance.value, layer.variance.value);
  Normalization whole;
  whole.adapt(x);
  for (Index i = 0; i < 3; ++i) {
    EXPECT_NEAR(back.mean.value[i], whole.mean.value[i], 1e-6);
    EXPECT_NEAR(back.variance.value[i], whole.variance.value[i], 1e-5);
  }
}

TEST(Continuing, AFileWithoutACountIsAnErrorOnUpdate) {
  const TemporaryFolder folder;
  Normalization layer;
  layer.adapt(normal({10, 3}));
  Sequential{Input{3}, layer}.save(folder / "model");
  const SafetensorsFile file(folder / "model");
  SafetensorsMetadata metadata = file.metadata();
  std::string& text = metadata["cornu.model"];
  const std::string part = R"(,"count":10)";
  ASSERT_NE(text.find(part), std::string::npos) << text;
  text.erase(text.find(part), part.size());
  const std::vector<std::byte> bytes = detail::safetensors_bytes(file.tensors(), metadata);
  Sequential old = Sequential::load(SafetensorsFile(bytes, "file"));
  auto& back = *old.get_layer(0).as<Normalization>();
  EXPECT_EQ(back.mean.value, layer.mean.value);
  EXPECT_THROW(back.update_state(normal({4, 3})), StateError);
  back.count = 10;
  back.update_state(normal({4, 3}));
  layer.update_state(normal({4, 3}));
  EXPECT_EQ(back.mean.value, layer.mean.value);
}

TEST(Continuing, ADatasetThatThrowsLeavesTheNormalizationUnchanged) {
  struct Short {
    Index size() const { return 3000; }
    Shape feature_shape() const { return {2}; }
    void gather(std::span<const Index> rows, View x, View) const {
      if (rows.front() >= 1024) throw ValueError("it breaks off");
      std::fill(x.begin(), x.end(), Real{5});
    }
  };
  Normalization layer;
  layer.adapt(normal({10, 2}));
  const Tensor mean = layer.mean.value;
  const Short data;
  EXPECT_THROW(adapt(layer, data), ValueError);
  EXPECT_EQ(layer.mean.value, mean);
  EXPECT_EQ(layer.count, 10);
}

// ---- Optimizers and schedules ----

/// All with their defaults, and those whose options add state.
std::vector<AnyOptimizer> optimizers() {
  std::vector<AnyOptimizer> all{SGD{.momentum = 0.9, .nesterov = true}, Adam{.amsgrad = true},
                                RMSprop{.momentum = 0.5, .centered = true}};
  for (const std::string& name : testing::registered_optimizers) {
    all.push_back(testing::with_defaults(detail::optimizer_registry(), name));
  }
  return all;
}

Sequential model_with_dropout(AnyOptimizer optimizer) {
  Sequential model{Input{2}, Dense{4, tanh}, Dropout{0.2}, Dense{3}};
  model.compile({.optimizer = std::move(optimizer), .loss = SparseCategoricalCrossentropy{.from_logits = true}});
  return model;
}

void three_steps(Sequential& model) {
  const TensorDataset data = testing::blobs(9);
  for (int i = 0; i < 3; ++i) model.train_on_batch(data.x(), data.y());
}

TEST(Continuing, EveryOptimizerContinuesFromAFile) {
  for (const AnyOptimizer& rule : optimizers()) {
    Json json;
    to_json(json, rule);
    SCOPED_TRACE(to_string(json));
    for (const bool use_ema : {false, true}) {
      Sequential model = model_with_dropout({rule, {.use_ema = use_ema, .ema_overwrite_frequency = use_ema ? 4 : 0}});
      three_steps(model);
      expect_to_go_on(model, three_steps);
    }
  }
}

TEST(Continuing, EveryScheduleContinuesFromAFile) {
  std::vector<LearningRate> rates = testing::every_schedule();
  rates.emplace_back(0.05);
  for (const LearningRate& rate : rates) {
    Json json;
    to_json(json, rate);
    SCOPED_TRACE(to_string(json));
    Sequential model = model_with_dropout(SGD{.learning_rate = rate});
    three_steps(model);
    expect_to_go_on(model, three_steps);
    // And one that was set during training.
    Sequential changed = model_with_dropout(SGD{});
    three_steps(changed);
    changed.optimizer().set_learning_rate(rate);
    expect_to_go_on(changed, three_steps);
  }
}

// ---- Callbacks ----

/// Ends the run with an exception.
struct Interruption {
  Index epoch = -1;
  void on_epoch_begin(cornu::Run&, Index at, Logs&) const {
    if (at == epoch) throw ValueError("interrupted");
  }
};

/// What a callback leaves: its state, without the name of the folder, and the names and the log in the folder.
template <class C>
std::pair<std::string, std::vector<Tensor>> left_by(C& callback, const TemporaryFolder& folder) {
  std::vector<Tensor> tensors;
  OptionVisitor visit(&tensors);
  AnyCallback(&callback).state(visit);
  const std::filesystem::path log = folder / "log";
  std::string text = to_string(std::move(visit).written());
  const std::string path = folder.path();
  for (std::size_t at = text.find(path); at != std::string::npos; at = text.find(path)) text.erase(at, path.size());
  for (const std::string& name : without(folder.names(), {})) text += " " + name;
  if (std::filesystem::exists(log)) text += testing::content(log);
  return {text, tensors};
}

/// Expects a run with the callback that is interrupted and resumed to end as if it had not been interrupted. Returns
/// the callback.
template <class C>
C expect_to_resume(const std::string& name, const std::function<C(const std::string& folder)>& make) {
  SCOPED_TRACE(name);
  const TensorDataset data = testing::blobs(40);
  const auto run = [&](const TemporaryFolder& folder, C& callback, Index interrupted_at) {
    Sequential model({Input{2}, Dense{4, tanh}, Dropout{0.2}, Dense{3}}, {.seed = 5});
    model.compile({.optimizer = {SGD{.learning_rate = 0.5}, {.use_ema = true}},
                   .loss = SparseCategoricalCrossentropy{.from_logits = true}});
    const History history =
        model.fit(data, {.batch_size = 8,
                         .epochs = 6,
                         .verbose = Verbose::silent,
                         .callbacks = {&callback, BackupAndRestore{folder / "backup"}, Interruption{interrupted_at}},
                         .validation_split = 0.25,
                         .threads = 1});
    return std::pair(history.history, model.get_weights());
  };
  const TemporaryFolder first;
  C whole = make(first.path());
  const auto expected = run(first, whole, -1);
  const TemporaryFolder second;
  C interrupted = make(second.path()), resumed = make(second.path());
  EXPECT_THROW(run(second, interrupted, 3), ValueError);
  EXPECT_EQ(run(second, resumed, -1), expected);
  EXPECT_EQ(left_by(resumed, second), left_by(whole, first));
  return resumed;
}

// Callbacks have no registry, because no file names them. BackupAndRestore is in every run.
TEST(Continuing, EveryCallbackContinuesFromABackup) {
  using Folder = std::string;
  expect_to_resume<CSVLogger>("CSVLogger", [](const Folder& f) { return CSVLogger{f + "/log"}; });
  expect_to_resume<EarlyStopping>("EarlyStopping", [](const Folder&) {
    return EarlyStopping{.min_delta = 10, .patience = 4, .restore_best_weights = true};
  });
  expect_to_resume<LambdaCallback>("LambdaCallback", [](const Folder&) {
    return LambdaCallback{.on_epoch_end = [](cornu::Run& run, Index, Logs& logs) {
      logs.set("iterations", static_cast<double>(run.model.optimizer().iterations()));
    }};
  });
  expect_to_resume<LearningRateScheduler>("LearningRateScheduler", [](const Folder&) {
    return LearningRateScheduler{[](Index, double rate) { return rate / 2; }};
  });
  expect_to_resume<ModelCheckpoint>("ModelCheckpoint", [](const Folder& f) {
    return ModelCheckpoint{
        .filepath = f + "/{epoch}.safetensors", .save_best_only = true, .mode = ModelCheckpoint::max};
  });
  expect_to_resume<ReduceLROnPlateau>("ReduceLROnPlateau", [](const Folder&) {
    return ReduceLROnPlateau{.factor = 0.5, .patience = 2, .min_delta = 10, .cooldown = 1};
  });
  expect_to_resume<SwapEMAWeights>("SwapEMAWeights", [](const Folder&) { return SwapEMAWeights{}; });
  const auto board = expect_to_resume<TensorBoard>(
      "TensorBoard", [](const Folder& f) { return TensorBoard{.log_dir = f, .update_freq = 1}; });
  EXPECT_EQ(board.step, 6 * 4);
  expect_to_resume<TerminateOnNaN>("TerminateOnNaN", [](const Folder&) { return TerminateOnNaN{}; });
}

}  // namespace
}  // namespace cornu
