#include <gtest/gtest.h>

#include <set>

#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/every_layer.h"
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

const std::vector<LearningRate>& schedules() {
  static const std::vector<LearningRate> all{
      0.05,
      ExponentialDecay{0.1, 3, 0.5},
      PiecewiseConstantDecay{{2, 4}, {0.1, 0.05, 0.01}},
      InverseTimeDecay{0.1, 3, 0.5},
      PolynomialDecay{0.1, 5, 0.01},
      CosineDecay{0.1, 6, 0, 0.2, 2},
      CosineDecayRestarts{0.1, 2},
      LinearWarmup{.learning_rate = CosineDecay{0.1, 5}, .warmup_steps = 4},
      OneCycle{0.1, 8},
  };
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
  std::set<std::string> here;
  for (const LearningRate& rate : schedules()) {
    Json json;
    to_json(json, rate);
    if (rate.is_schedule()) here.insert(value_of<std::string>(json.at("class_name")));
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
  EXPECT_EQ(here, without(testing::registered_schedules, {}));
}

}  // namespace
}  // namespace cornu
