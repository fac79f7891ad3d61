#include "cornu/models/callbacks/swap_ema_weights.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/models/callbacks/callbacks.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/callbacks/line_model.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::line_data;
using testing::line_model;
using testing::quiet;

Sequential averaging_model() {
  Sequential model{Input{1}, Dense{1}};
  model.compile(
      {.optimizer = {Adam{.learning_rate = 0.05}, {.use_ema = true, .ema_momentum = 0.9}}, .loss = MeanSquaredError{}});
  return model;
}

TEST(SwapEMAWeights, ValidatesWithTheAveragesAndContinuesWithTheWeights) {
  Sequential averaged = averaging_model(), plain = averaging_model();
  FitOptions options = quiet(3, {});
  options.validation_data = &line_data;
  const History without = plain.fit(line_data, options);
  options.callbacks = {SwapEMAWeights{}};
  const History with = averaged.fit(line_data, options);
  EXPECT_EQ(with["loss"], without["loss"]);
  EXPECT_NE(with["val_loss"], without["val_loss"]);
  EXPECT_EQ(averaged.get_weights(), plain.get_weights());

  const AveragedWeights weights(averaged.optimizer());
  EXPECT_EQ(averaged.evaluate(line_data, {.batch_size = 2})["loss"], with["val_loss"].back());
}

TEST(Averages, AreTheFinalWeightsOfTraining) {
  Sequential averaged = averaging_model(), stepped = averaging_model();
  for (int i = 0; i < 3; ++i) stepped.train_on_batch(line_data.x(), line_data.y());
  averaged.fit(line_data, {.batch_size = line_data.size(), .epochs = 3, .verbose = Verbose::silent, .shuffle = false});
  EXPECT_NE(averaged.get_weights(), stepped.get_weights());
  const AveragedWeights weights(stepped.optimizer());
  EXPECT_EQ(averaged.get_weights(), stepped.get_weights());
}

TEST(SwapEMAWeights, PredictsWithTheAverages) {
  Sequential model = averaging_model();
  for (int i = 0; i < 3; ++i) model.train_on_batch(line_data.x(), line_data.y());
  const Tensor x = Tensor::matrix({{1}});
  const Tensor plain = model.predict(x), averaged = model.predict(x, {}, {SwapEMAWeights{}});
  EXPECT_NE(averaged, plain);
  EXPECT_EQ(model.predict(x), plain);
  const AveragedWeights weights(model.optimizer());
  EXPECT_EQ(model.predict(x), averaged);
}

TEST(SwapEMAWeights, NeedsAnOptimizerThatKeepsAverages) {
  Sequential model = line_model();
  FitOptions options = quiet(1, {SwapEMAWeights{}});
  options.validation_data = &line_data;
  EXPECT_NE(
      error_of<StateError>([&] { model.fit(line_data, options); }).find("no averages of the weights; set use_ema"),
      std::string::npos);
}

}  // namespace
}  // namespace cornu
