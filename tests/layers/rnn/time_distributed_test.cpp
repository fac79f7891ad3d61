#include "cornu/layers/rnn/time_distributed.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cornu/core/ops/eager.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_near;
using testing::expect_passes;
using testing::normal;
using testing::run;

TEST(TimeDistributed, AppliesItsLayerToEachStep) {
  const Tensor x({1, 2, 1, 2, 1}, {1, 3, 5, 9});
  EXPECT_EQ(run(TimeDistributed{GlobalAveragePooling2D{}}, x), Tensor({1, 2, 1}, {2, 7}));
  EXPECT_EQ(run(TimeDistributed{Flatten{}}, x), Tensor({1, 2, 2}, {1, 3, 5, 9}));
}

TEST(TimeDistributed, UsesTheSameWeightsForEachStep) {
  const TimeDistributed layer =
      built(TimeDistributed{Sequential{Conv2D{.filters = 3, .kernel_size = 2, .activation = relu}, MaxPooling2D{},
                                       Flatten{}, Dense{4}}},
            {3, 5, 6, 2});
  const Tensor x = normal({2, 3, 5, 6, 2}), y = run(layer, x);
  ASSERT_EQ(y.shape(), (Shape{2, 3, 4}));
  for (Index step = 0; step < 3; ++step) {
    Tape tape(Mode::inference);
    const Tensor frames = reshape(slice_axis(x, 1, step, step + 1), {2, 5, 6, 2});
    const Tensor expected(layer.layer.forward(tape.input(frames)).value());
    expect_near(reshape(slice_axis(y, 1, step, step + 1), {2, 4}), expected);
  }
}

TEST(TimeDistributed, BatchStatisticsAreOfAllSteps) {
  const TimeDistributed layer = built(TimeDistributed{BatchNormalization{.momentum = 0, .epsilon = 0}}, {2, 1});
  const Tensor x({2, 2, 1}, {1, 3, 5, 7});  // mean 4, variance 5
  Tape tape;
  const Var y = layer.forward(tape.samples(x));
  EXPECT_TRUE(tape.mixes_samples());
  const Real deviation = std::sqrt(Real{5});
  expect_near(Tensor(y.value()), Tensor({2, 2, 1}, {-3 / deviation, -1 / deviation, 1 / deviation, 3 / deviation}));
  const Gradients gradients = tape.backward(sum(y));
  ASSERT_EQ(gradients.updates().size(), 2U);
  expect_near(Tensor(gradients.updates()[0].value), Tensor::vector({4}));
  expect_near(Tensor(gradients.updates()[1].value), Tensor::vector({5}));
}

TEST(TimeDistributed, KeepsSamplesIndependent) {
  const TimeDistributed layer = built(TimeDistributed{Sequential{Flatten{}, Dense{3}, Dropout{0.5}}}, {3, 3, 1});
  const Tensor x = normal({3, 3, 3, 1});
  Tape tape;
  layer.forward(tape.samples(x));
  EXPECT_FALSE(tape.mixes_samples());
}

TEST(TimeDistributed, PassesCheckLayer) {
  expect_passes(TimeDistributed{Dense{2, tanh}}, {4, 3});
  expect_passes(TimeDistributed{Sequential{Conv2D{2, 2}, Flatten{}, Dense{2}}}, {3, 3, 4, 1});
  expect_passes(TimeDistributed{BatchNormalization{}}, {3, 2});
  expect_passes(TimeDistributed{LSTM{2}}, {2, 3, 2});
  expect_passes(TimeDistributed{.layer = TimeDistributed{Dense{2}}}, {2, 3, 2});
}

TEST(TimeDistributed, BuildsItsLayerOnTheShapeOfAStep) {
  TimeDistributed layer{LSTM{4}};
  Rng rng(1);
  EXPECT_EQ(layer.build({5, 3, 2}, rng), (Shape{5, 4}));
  EXPECT_EQ(layer.layer.name(), "lstm");
  EXPECT_EQ(layer.layer.parameters()[0].parameter->shape(), (Shape{2, 16}));
  AnyLayer again = layer;
  EXPECT_EQ(again.parameters()[0].name, "lstm/kernel");
  EXPECT_EQ(again.build({7, 1, 2}, rng), (Shape{7, 4}));  // other numbers of steps
  EXPECT_EQ(again.parameters()[0].parameter->value, layer.layer.parameters()[0].parameter->value);
  const TimeDistributed named{{"frame", Dense{1}}};
  EXPECT_EQ(AnyLayer(named).layers()[0].name, "frame");
}

TEST(TimeDistributed, RejectsSamplesWithoutSteps) {
  Rng rng(1);
  EXPECT_EQ(error_of<ShapeError>([&] { TimeDistributed{Dense{2}}.build({4}, rng); }),
            "TimeDistributed: a sample of shape (4,); (steps, features...) is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              TimeDistributed{Conv2D{2, 2}}.build({3, 4, 1}, rng);
            }),
            "Conv2D: a sample of shape (4, 1); (height, width, channels) is required (is a Reshape missing?)");
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(TimeDistributed{Flatten{}}, Tensor({2, 4}));
            }),
            "TimeDistributed: an input of shape (2, 4); (batch, steps, features...) is required");
  struct Total {
    Var forward(Var x) const { return sum(x); }
  };
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(TimeDistributed{Total{}}, Tensor({2, 4, 3}));
            }),
            "TimeDistributed: its layer returned shape () for (8, 3); the first axis must remain the batch axis");
}

}  // namespace
}  // namespace cornu
