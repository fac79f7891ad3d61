#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/tests/models/saving/interop_support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/temporary_folder.h"

// Weights with the paths of Keras's variables, as its layers build them (keras/src/layers); the layouts are Cornu's.

namespace cornu {
namespace {

using namespace cornu::testing;

class Keras : public ::testing::Test {
 protected:
  /// Which tensor of a file each of two Dense layers received.
  std::vector<Real> order(const Texts& tensors, const LayerNames& rename = {}) {
    return order_of(model, path, tensors, {.names = Names::keras, .rename = rename});
  }

  TemporaryFolder folder;
  std::string path = (folder / "w").string();
  Sequential model{Input{2}, Dense{2}, Dense{2}};
};

TEST_F(Keras, EveryLayerHasKerasNamesAndShapes) {
  Sequential all{{Input{8},
                  Embedding{10, 4},
                  Conv1D{.filters = 6, .kernel_size = 2},
                  LayerNormalization{},
                  MultiHeadAttention{.num_heads = 2, .key_dim = 3},
                  LSTM{.units = 5, .return_sequences = true},
                  GRU{.units = 4, .return_sequences = true},
                  GRU{.units = 12, .reset_after = false},
                  Normalization{},
                  Reshape{2, 2, 3},
                  DepthwiseConv2D{.kernel_size = 1, .depth_multiplier = 2},
                  Conv2D{.filters = 2, .kernel_size = {1, 2}},
                  BatchNormalization{},
                  {"head", Sequential{Flatten{}, Dense{3}}}},
                 {.name = "net"}};
  all.save_weights(path, {.names = Names::keras});
  EXPECT_EQ(listing(path), (Texts{"net/batch_normalization/beta (2,)",
                                  "net/batch_normalization/gamma (2,)",
                                  "net/batch_normalization/moving_mean (2,)",
                                  "net/batch_normalization/moving_variance (2,)",
                                  "net/conv1d/bias (6,)",
                                  "net/conv1d/kernel (2, 4, 6)",
                                  "net/conv2d/bias (2,)",
                                  "net/conv2d/kernel (1, 2, 6, 2)",
                                  "net/depthwise_conv2d/bias (6,)",
                                  "net/depthwise_conv2d/kernel (1, 1, 3, 2)",
                                  "net/embedding/embeddings (10, 4)",
                                  "net/gru/gru_cell/bias (2, 12)",
                                  "net/gru/gru_cell/kernel (5, 12)",
                                  "net/gru/gru_cell/recurrent_kernel (4, 12)",
                                  "net/gru_1/gru_cell/bias (36,)",
                                  "net/gru_1/gru_cell/kernel (4, 36)",
                                  "net/gru_1/gru_cell/recurrent_kernel (12, 36)",
                                  "net/head/dense/bias (3,)",
                                  "net/head/dense/kernel (4, 3)",
                                  "net/layer_normalization/beta (6,)",
                                  "net/layer_normalization/gamma (6,)",
                                  "net/lstm/lstm_cell/bias (20,)",
                                  "net/lstm/lstm_cell/kernel (6, 20)",
                                  "net/lstm/lstm_cell/recurrent_kernel (5, 20)",
                                  "net/multi_head_attention/attention_output/bias (6,)",
                                  "net/multi_head_attention/attention_output/kernel (2, 3, 6)",
                                  "net/multi_head_attention/key/bias (2, 3)",
                                  "net/multi_head_attention/key/kernel (6, 2, 3)",
                                  "net/multi_head_attention/query/bias (2, 3)",
                                  "net/multi_head_attention/query/kernel (6, 2, 3)",
                                  "net/multi_head_attention/value/bias (2, 3)",
                                  "net/multi_head_attention/value/kernel (6, 2, 3)",
                                  "net/normalization/count ()",
                                  "net/normalization/mean (12,)",
                                  "net/normalization/variance (12,)"}));
  const std::vector<Tensor> weights = all.get_weights();
  for (const auto& [name, parameter] : all.parameters()) parameter->value = Tensor(parameter->shape());
  EXPECT_TRUE(all.load_weights(path, {.names = Names::keras}));
  EXPECT_EQ(all.get_weights(), weights);
}

TEST_F(Keras, ATimeDistributedContainsItsLayer) {
  Sequential steps{{Input{3, 2}, TimeDistributed{Dense{2}}}, {.name = "net"}};
  steps.save_weights(path, {.names = Names::keras});
  EXPECT_EQ(listing(path), (Texts{"net/time_distributed/dense/bias (2,)", "net/time_distributed/dense/kernel (2, 2)"}));
  // Keras 2 does not name the inner layer.
  EXPECT_EQ(order_of(steps, path, {"time_distributed/bias:0", "time_distributed/kernel:0"},
                     {.names = Names::keras, .rename = {{"time_distributed/dense", "time_distributed"}}}),
            (std::vector<Real>{1, 0}));
}

TEST_F(Keras, NamesMayBeginWithTheModelsName) {
  const std::vector<Real> expected{0, 1, 2, 3};
  EXPECT_EQ(order({"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"}), expected);
  EXPECT_EQ(order({"my_model/dense/kernel", "my_model/dense/bias", "dense_1/kernel", "dense_1/bias"}), expected);
  EXPECT_EQ(order({"dense/kernel:0", "dense/bias:0", "dense_1/kernel:0", "dense_1/bias:0"}), expected);
}

TEST_F(Keras, LayerNumbersMayContinueFromAnotherModel) {
  EXPECT_EQ(order({"sequential_3/dense_10/kernel", "sequential_3/dense_10/bias", "sequential_3/dense_9/kernel",
                   "sequential_3/dense_9/bias"}),
            (std::vector<Real>{2, 3, 0, 1}));
  EXPECT_EQ(order({"dense_2/kernel", "dense_2/bias", "dense_1/kernel", "dense_1/bias"}),
            (std::vector<Real>{2, 3, 0, 1}));
}

TEST_F(Keras, LayersMayHaveOtherNames) {
  EXPECT_EQ(order({"net/head/kernel", "net/head/bias", "net/body/kernel", "net/body/bias"},
                  {{"dense", "body"}, {"dense_1", "head"}}),
            (std::vector<Real>{2, 3, 0, 1}));
}

TEST_F(Keras, ModelsInsideOthersKeepTheirNames) {
  Sequential outer{{Input{2}, Sequential{Dense{2}}, Dense{2}}, {.name = "sequential"}};
  const std::vector<Tensor> weights = outer.get_weights();
  outer.save_weights(path, {.names = Names::keras});  // sequential/sequential/dense/kernel
  for (const auto& [name, parameter] : outer.parameters()) parameter->value = Tensor(parameter->shape());
  EXPECT_TRUE(outer.load_weights(path, {.names = Names::keras}));
  EXPECT_EQ(outer.get_weights(), weights);
  write_counted(path, {{"sequential_1/sequential/dense/kernel", {2, 2}},
                       {"sequential_1/sequential/dense/bias", {2}},
                       {"sequential_1/dense/kernel", {2, 2}},
                       {"sequential_1/dense/bias", {2}}});
  EXPECT_TRUE(outer.load_weights(path, {.names = Names::keras}));
  EXPECT_EQ(parameter_of(outer, "sequential/dense/kernel"), counted({2, 2}));
  EXPECT_EQ(parameter_of(outer, "dense/kernel"), counted({2, 2}, 200));
}

TEST_F(Keras, CellsAndDepthwiseKernelsOfKeras2AreKnown) {
  model = {Input{2, 1}, LSTM{.units = 1, .return_sequences = true}, GRU{1}, Reshape{1, 1, 1},
           DepthwiseConv2D{.kernel_size = 1}};
  write_counted(path, {{"lstm_1/lstm_cell_1/kernel:0", {1, 4}},
                       {"lstm_1/lstm_cell_1/recurrent_kernel:0", {1, 4}},
                       {"lstm_1/lstm_cell_1/bias:0", {4}},
                       {"gru/gru_cell/kernel:0", {1, 3}},
                       {"gru/gru_cell/recurrent_kernel:0", {1, 3}},
                       {"gru/gru_cell/bias:0", {2, 3}},
                       {"depthwise_conv2d/depthwise_kernel:0", {1, 1, 1, 1}},
                       {"depthwise_conv2d/bias:0", {1}}});
  EXPECT_TRUE(model.load_weights(path, {.names = Names::keras}));
  EXPECT_EQ(parameter_of(model, "lstm/bias"), counted({4}, 200));
  EXPECT_EQ(parameter_of(model, "gru/bias"), counted({2, 3}, 500));
  EXPECT_EQ(parameter_of(model, "depthwise_conv2d/kernel"), counted({1, 1, 1, 1}, 600));
}

TEST_F(Keras, LayersOfABidirectionalHaveKerasNames) {
  model = {Input{2, 1}, Bidirectional{LSTM{.units = 1, .return_sequences = true}}, Bidirectional{SimpleRNN{1}}};
  model.save_weights(path, {.names = Names::keras});
  EXPECT_EQ(listing(path)[1], "sequential/bidirectional/backward_lstm/lstm_cell/kernel (1, 4)");
  EXPECT_EQ(listing(path)[9], "sequential/bidirectional_1/forward_simple_rnn/simple_rnn_cell/bias (1,)");
  // Keras numbers the layers of its kind, and the wrapped layer is one of them.
  NamedShapes shapes;
  for (const char* const direction : {"forward", "backward"}) {
    const std::string cell = message("bidirectional_4/{}_lstm_7/lstm_cell/", direction);
    shapes.insert(shapes.end(), {{cell + "kernel", {1, 4}}, {cell + "recurrent_kernel", {1, 4}}, {cell + "bias", {4}}});
  }
  for (const char* const direction : {"backward", "forward"}) {
    const std::string cell = message("bidirectional_5/{}_simple_rnn_2/simple_rnn_cell/", direction);
    shapes.insert(shapes.end(), {{cell + "kernel", {2, 1}}, {cell + "recurrent_kernel", {1, 1}}, {cell + "bias", {1}}});
  }
  write_counted(path, shapes);
  EXPECT_TRUE(model.load_weights(path, {.names = Names::keras}));
  EXPECT_EQ(parameter_of(model, "bidirectional/backward_lstm/kernel"), counted({1, 4}, 300));
  EXPECT_EQ(parameter_of(model, "bidirectional_1/backward_simple_rnn/kernel"), counted({2, 1}, 600));
  EXPECT_EQ(parameter_of(model, "bidirectional_1/forward_simple_rnn/kernel"), counted({2, 1}, 900));
}

TEST_F(Keras, MismatchesAreReportedAndNothingIsChanged) {
  const std::vector<Tensor> before = model.get_weights();
  expect_error<ValueError>(
      [&] {
        order({"net/dense/kernel", "net/dense/bias", "net/conv2d/bias"});
      },
      path +
          ": the weights do not fit: missing: sequential/dense_1/kernel, sequential/dense_1/bias\n"
          "unexpected: net/conv2d/bias");
  EXPECT_EQ(model.get_weights(), before);
}

TEST(OwnNames, LayersMayBeRenamedInAFile) {
  const TemporaryFolder folder;
  const LayerNames rename{{"trunk", "base"}, {"trunk/dense", "first"}};
  Sequential model{Input{2}, {"trunk", Sequential{Dense{2}, Dense{1}}}};
  model.save_weights(folder / "w", {.rename = rename});
  EXPECT_EQ(listing(folder / "w"),
            (Texts{"base/dense_1/bias (1,)", "base/dense_1/kernel (2, 1)", "first/bias (2,)", "first/kernel (2, 2)"}));
  EXPECT_TRUE(model.load_weights(folder / "w", {.rename = rename}));
}

}  // namespace
}  // namespace cornu
