#include "cornu/layers/freeze.h"

#include <gtest/gtest.h>

#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/models/sequential.h"
#include "cornu/optim/adam.h"

namespace cornu {
namespace {

/// A layer with state that is never trained.
struct WithState {
  Parameter scale{Tensor::vector({1})}, mean{Tensor::vector({0}), false};
  Var forward(Var x) const { return x * scale - mean; }
  NamedParameters parameters() { return {{"scale", &scale}, {"mean", &mean}}; }
};

Sequential two_layers() {
  Sequential model{Input{2}, {"hidden", Dense{3, tanh}}, {"out", Dense{1}}};
  model.compile({.optimizer = Adam{.learning_rate = 0.1, .weight_decay = 0.1}, .loss = MeanSquaredError{}});
  return model;
}

const Tensor three_inputs = Tensor::matrix({{0, 1}, {1, 0}, {1, 1}}), three_targets = Tensor::matrix({{1}, {2}, {3}});

TEST(Freeze, KeepsALayersWeightsWhileOthersAreTrained) {
  Sequential model = two_layers();
  freeze(model.get_layer("hidden"));
  const std::vector<Tensor> before = model.get_weights();
  for (int i = 0; i < 3; ++i) model.train_on_batch(three_inputs, three_targets);
  const std::vector<Tensor> after = model.get_weights();
  EXPECT_EQ(after[0], before[0]);
  EXPECT_EQ(after[1], before[1]);
  EXPECT_NE(after[2], before[2]);
  EXPECT_NE(after[3], before[3]);
}

TEST(Freeze, IsUndoneByUnfreezeFromTheNextPass) {
  Sequential model = two_layers();
  model.train_on_batch(three_inputs, three_targets);
  freeze(model.get_layer("hidden"));
  const std::vector<Tensor> before = model.get_weights();
  model.train_on_batch(three_inputs, three_targets);
  EXPECT_EQ(model.get_weights()[0], before[0]);
  unfreeze(model.get_layer("hidden"));
  model.train_on_batch(three_inputs, three_targets);
  EXPECT_NE(model.get_weights()[0], before[0]);
}

TEST(Freeze, FreezesAWholeModelAndItsCopies) {
  Sequential model = two_layers();
  freeze(model);
  Sequential copy = model;
  const std::vector<Tensor> before = copy.get_weights();
  copy.train_on_batch(three_inputs, three_targets);
  EXPECT_EQ(copy.get_weights(), before);
  EXPECT_NE(to_string(copy).find("Trainable params: 0 "), std::string::npos);
  unfreeze(copy);
  copy.train_on_batch(three_inputs, three_targets);
  EXPECT_NE(copy.get_weights(), before);
}

TEST(Freeze, AndUnfreezeLeaveStateUntrained) {
  WithState layer;
  unfreeze(layer);
  EXPECT_TRUE(layer.scale.learns());
  EXPECT_FALSE(layer.mean.learns());
  freeze(layer);
  freeze(layer);  // freezing again changes nothing
  EXPECT_FALSE(layer.scale.learns());
  EXPECT_FALSE(layer.mean.learns());
  unfreeze(layer);
  EXPECT_TRUE(layer.scale.learns());
  EXPECT_FALSE(layer.mean.learns());
}

/// Counts its training steps.
struct PassCounter {
  Parameter steps{Tensor::vector({0}), false};
  Var forward(Var in) const {
    in.tape().record_update(steps, in.tape().parameter(steps) + 1);
    return in;
  }
  NamedParameters parameters() { return {{"steps", &steps}}; }
};

TEST(Freeze, KeepsStateThatALayerWouldUpdate) {
  Sequential model{Input{2}, {"counter", PassCounter{}}, Dense{1}};
  model.compile({.optimizer = Adam{}, .loss = MeanSquaredError{}});
  const auto steps = [&] { return model.get_weights()[0][0]; };
  model.train_on_batch(three_inputs, three_targets);
  freeze(model.get_layer("counter"));
  model.train_on_batch(three_inputs, three_targets);
  EXPECT_EQ(steps(), 1);
  unfreeze(model.get_layer("counter"));
  model.train_on_batch(three_inputs, three_targets);
  EXPECT_EQ(steps(), 2);
}

}  // namespace
}  // namespace cornu
