#include <gtest/gtest.h>

#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/tests/models/support.h"

// A step as fit makes it, with everything that is fused: bias and relu, softmax and loss, deferred products of the
// weights' gradients, shards. The step must subtract the gradient found by finite differences of the loss.

namespace cornu {
namespace {

/// The gradient, from one step with learning rate 1: the weights before minus the weights after.
std::vector<Tensor> gradient_of_step(Sequential model, const TensorDataset& data, Index threads, Index shard_size) {
  std::vector<Tensor> gradient = model.get_weights();
  model.fit(data, {.batch_size = data.size(),
                   .verbose = Verbose::silent,
                   .shuffle = false,
                   .threads = threads,
                   .shard_size = shard_size});
  const std::vector<Tensor> after = model.get_weights();
  for (std::size_t i = 0; i < after.size(); ++i) {
    for (Index k = 0; k < after[i].size(); ++k) gradient[i][k] -= after[i][k];
  }
  return gradient;
}

std::vector<Tensor> gradient_by_differences(Sequential model, const TensorDataset& data) {
  constexpr Real step = 6e-6;
  std::vector<Tensor> weights = model.get_weights(), gradient = weights;
  const auto loss_with = [&](Real& weight, Real value) {
    const Real before = std::exchange(weight, value);
    model.set_weights(weights);
    weight = before;
    return model.evaluate(data, {.batch_size = data.size()})["loss"];
  };
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (Index k = 0; k < weights[i].size(); ++k) {
      Real& weight = weights[i][k];
      gradient[i][k] = (loss_with(weight, weight + step) - loss_with(weight, weight - step)) / (2 * step);
    }
  }
  return gradient;
}

TEST(Step, SubtractsTheFiniteDifferenceGradient) {
  const std::vector<std::pair<Shape, Sequential>> networks{
      {{5}, {Input{5}, Dense{7, relu}, Dense{3, softmax}}},
      {{8, 8, 1},
       {Input{8, 8, 1}, Conv2D{.filters = 3, .kernel_size = 3, .padding = Padding::same, .activation = relu},
        MaxPooling2D{}, Conv2D{.filters = 4, .kernel_size = 3, .activation = relu}, Flatten{}, Dense{3, softmax}}}};
  for (auto [shape, model] : networks) {
    const TensorDataset data(testing::normal(shape.batched(40)), testing::labels(40));
    model.compile({.optimizer = SGD{.learning_rate = 1}, .loss = SparseCategoricalCrossentropy{}});
    const std::vector<Tensor> expected = gradient_by_differences(model, data);
    for (const Index threads : {1, 2}) {
      for (const Index shard_size : {40, 16, 3}) {  // whole, at once and in turn
        SCOPED_TRACE(message("samples of {}, {} threads, shards of {}", shape, threads, shard_size));
        const std::vector<Tensor> gradient = gradient_of_step(model, data, threads, shard_size);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          for (Index k = 0; k < expected[i].size(); ++k) EXPECT_NEAR(gradient[i][k], expected[i][k], 1e-8);
        }
      }
    }
  }
}

}  // namespace
}  // namespace cornu
