#include <gtest/gtest.h>

#include <vector>

#include "cornu/layers/activation.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/augmentation/random_erasing.h"
#include "cornu/layers/augmentation/random_translation.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/input.h"
#include "cornu/layers/merging/concatenate.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/normalization/normalization.h"
#include "cornu/layers/pooling/average_pooling1d.h"
#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/global_max_pooling1d.h"
#include "cornu/layers/pooling/max_pooling1d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/layers/rnn/bidirectional.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/layers/rnn/simple_rnn.h"
#include "cornu/layers/rnn/time_distributed.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/allocation_counter.h"

namespace cornu {
namespace {

std::vector<AnyLayer> network() {
  std::vector<AnyLayer> layers{
      Input{6, 4}, Flatten{},      Dense{16, relu},    Dropout{0.3},  Dense{.units = 12, .use_bias = false},
      Tanh{},      Reshape{3, -1}, Softmax{.axis = 1}, Flatten{3, 4}, Activation{sigmoid},
      Dense{10},   Softmax{}};
  layers.insert(layers.begin() + 1,
                {Reshape{6, 4, 1}, RandomTranslation{0.2, 0.2}, RandomErasing{},
                 Conv2D{.filters = 3, .kernel_size = 2, .activation = relu}, MaxPooling2D{.padding = Padding::same},
                 Conv2D{.filters = 24, .kernel_size = 3, .padding = Padding::same},
                 AveragePooling2D{.pool_size = {3, 2}}, GlobalAveragePooling2D{}});
  layers.insert(
      layers.begin() + 1,
      {LSTM{.units = 5, .return_sequences = true}, GRU{.units = 6, .activation = relu, .return_sequences = true},
       GRU{.units = 4, .return_sequences = true, .go_backwards = true, .reset_after = false},
       Bidirectional{SimpleRNN{.units = 2, .return_sequences = true, .dropout = 0.1, .recurrent_dropout = 0.1}},
       MultiHeadAttention{.num_heads = 2, .key_dim = 3, .dropout = 0.1, .use_causal_mask = true},
       Conv1D{.filters = 4, .kernel_size = 3, .padding = Padding::causal, .activation = relu}, Reshape{6, 4, 1},
       DepthwiseConv2D{.kernel_size = 3, .padding = Padding::same, .depth_multiplier = 2}, Reshape{6, 8},
       GRU{.units = 4, .return_sequences = true}, MaxPooling1D{.strides = 1, .padding = Padding::causal},
       AveragePooling1D{.strides = 1, .padding = Padding::same},
       TimeDistributed{Concatenate{{Reshape{4, 1}, GlobalMaxPooling1D{.keepdims = true}, Flatten{}}, {Dense{3}}}}});
  layers.insert(layers.end() - 2,
                {LayerNormalization{}, LeakyReLU{}, ELU{}, GELU{}, GELU{.approximate = true}, Swish{}, Softplus{},
                 Reshape{2, 6}, BatchNormalization{.axis = 1}, LayerNormalization{.axis = {-2, -1}, .scale = false},
                 BatchNormalization{}, Normalization{.axis = {1, 2}}, Normalization{.invert = true}, Flatten{}});
  Shape shape{6, 4};
  Rng rng(1);
  for (AnyLayer& layer : layers) shape = layer.build(shape, rng);
  return layers;
}

TEST(Allocation, TheCounterCounts) {
  const testing::AllocationCounter counter;
  const Tensor tensor(Shape{3});
  EXPECT_EQ(counter.count(), 1);
}

TEST(Allocation, AWarmForwardAndBackwardPassAllocatesNothing) {
  const std::vector<AnyLayer> layers = network();
  const Tensor x = testing::normal({32, 6, 4});
  const Tensor g = testing::normal({32, 10});
  Tape tape(Mode::training, 1);
  const auto pass = [&] {
    tape.clear();
    Var y = tape.input(x);
    for (const AnyLayer& layer : layers) y = layer.forward(y);
    return tape.backward(y, g).entries().size();
  };
  for (int i = 0; i < 3; ++i) pass();
  const testing::AllocationCounter counter;
  std::size_t gradients = 0;
  for (int i = 0; i < 5; ++i) gradients += pass();
  EXPECT_EQ(counter.count(), 0);
  EXPECT_EQ(gradients, 5U * 48U);
}

TEST(Allocation, AWarmEmbeddingAllocatesNothing) {
  const AnyLayer layer = testing::built(Embedding{.input_dim = 4, .output_dim = 3}, {2});
  const Tensor x = Tensor::matrix({{0, 1}, {3, 1}}), g = testing::normal({2, 2, 3});
  Tape tape(Mode::training, 1);
  const auto pass = [&] {
    tape.clear();
    return tape.backward(layer.forward(tape.input(x)), g).entries().size();
  };
  for (int i = 0; i < 3; ++i) pass();
  const testing::AllocationCounter counter;
  EXPECT_EQ(pass(), 1U);
  EXPECT_EQ(counter.count(), 0);
}

TEST(Allocation, AWarmPredictionAllocatesNothing) {
  const std::vector<AnyLayer> layers = network();
  const Tensor x = testing::normal({32, 6, 4});
  Tape tape(Mode::inference);
  const auto predict = [&] {
    tape.clear();
    Var y = tape.input(x);
    for (const AnyLayer& layer : layers) y = layer.forward(y);
    return y.value()[0];
  };
  Real first = 0;
  for (int i = 0; i < 3; ++i) first = predict();
  const testing::AllocationCounter counter;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(predict(), first);
  EXPECT_EQ(counter.count(), 0);
}

}  // namespace
}  // namespace cornu
