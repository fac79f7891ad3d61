#include <gtest/gtest.h>

#include "cornu/tests/models/support.h"
#include "cornu/tests/support/every_layer.h"

// A batch without samples, as in a hand-written loop: no loss, no gradient, no change.

namespace cornu {
namespace {

std::vector<testing::LayerRow> layers_and_penalties() {
  const Regularizer penalty = L1L2{.l1 = 0.1, .l2 = 0.2};
  const Shape image{5, 5, 2}, steps{5, 3}, features{6};
  std::vector<testing::LayerRow> rows = testing::every_layer();
  rows.push_back({Dense{.units = 3, .activity_regularizer = penalty}, features});
  rows.push_back({Conv1D{.filters = 2, .kernel_size = 2, .activity_regularizer = penalty}, steps});
  rows.push_back({Conv2D{.filters = 2, .kernel_size = 2, .activity_regularizer = penalty}, image});
  rows.push_back({DepthwiseConv2D{.kernel_size = 2, .activity_regularizer = penalty}, image});
  rows.push_back({LSTM{.units = 3, .activity_regularizer = penalty}, steps});
  rows.push_back({GRU{.units = 3, .activity_regularizer = penalty}, steps});
  rows.push_back({MultiHeadAttention{.num_heads = 2, .key_dim = 2, .activity_regularizer = penalty}, steps});
  rows.push_back({Embedding{.input_dim = 1, .output_dim = 3, .activity_regularizer = penalty}, features});
  return rows;
}

TEST(EmptyBatch, ChangesNoLayer) {
  for (const auto& [layer, input] : layers_and_penalties()) {
    SCOPED_TRACE(layer.type());
    Sequential model;
    model.add(Input(input));
    model.add(layer);
    const std::vector<Tensor> before = model.get_weights();
    Optimizer optimizer(SGD{.learning_rate = 1}, model.parameters());
    Tape tape;
    const Tensor none(input.batched(0));
    const Var y = model.forward(tape.samples(none));
    EXPECT_EQ(y.shape(), model.output_shape().batched(0));
    Var loss = sum(y);
    for (const Var added : tape.losses()) loss = loss + added;
    EXPECT_EQ(loss.item(), 0);
    optimizer.step(tape.backward(loss));
    EXPECT_EQ(model.get_weights(), before);
    EXPECT_EQ(model.predict(none).shape(), model.output_shape().batched(0));
  }
}

}  // namespace
}  // namespace cornu
