#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/tests/models/saving/interop_support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/temporary_folder.h"

// PyTorch's layouts, worked out by hand. Element values count up within a tensor; tensors start at 0, 100, ...

namespace cornu {
namespace {

using namespace cornu::testing;

class Layouts : public ::testing::Test {
 protected:
  /// A model with the weights of such a file; writing it must reproduce the file.
  void load(Sequential& model, const NamedShapes& tensors) {
    write_counted(folder / "w", tensors);
    ASSERT_TRUE(model.load_weights(folder / "w", {.names = Names::pytorch}));
    model.save_weights(folder / "again", {.names = Names::pytorch});
    const SafetensorsFile expected(folder / "w"), got(folder / "again");
    EXPECT_EQ(listing(folder / "again"), listing(folder / "w"));
    for (const RawTensor& raw : expected.tensors()) EXPECT_EQ(got.tensor(raw.name), expected.tensor(raw.name));
  }
  void expect_refused(const Sequential& model, const std::string& text) {
    const std::string path = (folder / "w").string();
    expect_error<ValueError>([&] { model.save_weights(path, {.names = Names::pytorch}); }, path + ": " + text);
    EXPECT_FALSE(std::filesystem::exists(path));
  }

  TemporaryFolder folder;
};

TEST_F(Layouts, ADenseAfterAnImageHasItsRowsInChannelsLastOrder) {
  Sequential model{Input{1, 2, 3}, Flatten{}, Dropout{0.5}, ReLU{}, Dense{.units = 2, .use_bias = false}};
  // There the inputs are channel 0 at both positions, then channel 1, ...: x0 x1 | x2 x3 | x4 x5.
  load(model, {{"3.weight", {2, 6}}});
  EXPECT_EQ(parameter_of(model, "dense/kernel"), Tensor::matrix({{0, 6}, {2, 8}, {4, 10}, {1, 7}, {3, 9}, {5, 11}}));
}

TEST_F(Layouts, OnlyTheFirstDenseAfterAnImageIsRearranged) {
  Sequential model{Input{2, 1, 2}, Flatten{}, Dense{.units = 4, .use_bias = false},
                   Dense{.units = 1, .use_bias = false}};
  load(model, {{"1.weight", {4, 4}}, {"2.weight", {1, 4}}});
  EXPECT_EQ(parameter_of(model, "dense/kernel"),
            Tensor::matrix({{0, 4, 8, 12}, {2, 6, 10, 14}, {1, 5, 9, 13}, {3, 7, 11, 15}}));
  EXPECT_EQ(parameter_of(model, "dense_1/kernel"), counted({4, 1}, 100));
}

TEST_F(Layouts, ImagesOfOneChannelOrOnePixelAreInTheSameOrder) {
  for (const Shape& image : {Shape{2, 3, 1}, Shape{1, 1, 6}, Shape{2, 3}}) {
    Sequential model({Input{image}, Flatten{}, Dense{.units = 1, .use_bias = false}});
    load(model, {{"1.weight", {1, 6}}});
    EXPECT_EQ(parameter_of(model, "dense/kernel"), counted({6, 1}));
  }
}

TEST_F(Layouts, SequencesAreInTheSameOrderUnlessAConvolutionGoesOverThem) {
  Sequential sequence{Input{3, 1}, LSTM{.units = 2, .use_bias = false, .return_sequences = true}, Flatten{},
                      Dense{.units = 1, .use_bias = false}};
  load(sequence, {{"0.weight_ih_l0", {8, 1}}, {"0.weight_hh_l0", {8, 2}}, {"2.weight", {1, 6}}});
  EXPECT_EQ(parameter_of(sequence, "dense/kernel"), counted({6, 1}, 200));
  Sequential convolution{Input{3, 1}, Conv1D{.filters = 2, .kernel_size = 1, .use_bias = false}, Dropout{0.5},
                         Flatten{}, Dense{.units = 1, .use_bias = false}};
  load(convolution, {{"0.weight", {2, 1, 1}}, {"3.weight", {1, 6}}});
  EXPECT_EQ(parameter_of(convolution, "dense/kernel"), Tensor({6, 1}, {100, 103, 101, 104, 102, 105}));
}

TEST_F(Layouts, PoolingTakesAndReturnsSequencesWithTheChannelsFirst) {
  // There the inputs of the Dense are channel 0 at both steps, then channel 1.
  Sequential pooled{Input{4, 2}, MaxPooling1D{}, ReLU{}, Flatten{}, Dense{.units = 1, .use_bias = false}};
  load(pooled, {{"3.weight", {1, 4}}});
  EXPECT_EQ(parameter_of(pooled, "dense/kernel"), Tensor({4, 1}, {0, 2, 1, 3}));
  Sequential states{Input{4, 1}, LSTM{.units = 2, .use_bias = false, .return_sequences = true}, AveragePooling1D{},
                    Flatten{}, Dense{.units = 1, .use_bias = false}};
  load(states, {{"0.weight_ih_l0", {8, 1}}, {"0.weight_hh_l0", {8, 2}}, {"3.weight", {1, 4}}});
  EXPECT_EQ(parameter_of(states, "dense/kernel"), Tensor({4, 1}, {200, 202, 201, 203}));
}

TEST_F(Layouts, ADenseWhoseOutputsBecomeAnImageIsRearranged) {
  Sequential model{Input{1}, Dense{4}, ReLU{}, Reshape{1, 2, 2}};
  load(model, {{"0.weight", {4, 1}}, {"0.bias", {4}}});
  EXPECT_EQ(parameter_of(model, "dense/kernel"), Tensor::matrix({{0, 2, 1, 3}}));
  EXPECT_EQ(parameter_of(model, "dense/bias"), Tensor::vector({100, 102, 101, 103}));
}

TEST_F(Layouts, ADenseAfterTheImageOfAStepIsRearranged) {
  Sequential model{Input{3, 1, 2, 2}, TimeDistributed{Sequential{Flatten{}, Dense{.units = 1, .use_bias = false}}}};
  load(model, {{"0.sequential.1.weight", {1, 4}}});
  EXPECT_EQ(parameter_of(model, "time_distributed/sequential/dense/kernel"), Tensor({4, 1}, {0, 2, 1, 3}));
}

TEST_F(Layouts, ImageFeaturesKeepTheirOrderThroughAResidual) {
  Sequential model{Input{1, 2, 2}, Flatten{}, Residual{LayerNormalization{}, Dense{.units = 4, .use_bias = false}},
                   Dense{.units = 1, .use_bias = false}};
  load(model, {{"1.0.weight", {4}}, {"1.0.bias", {4}}, {"1.1.weight", {4, 4}}, {"2.weight", {1, 4}}});
  EXPECT_EQ(parameter_of(model, "residual/layer_normalization/gamma"), Tensor::vector({0, 2, 1, 3}));
  EXPECT_EQ(parameter_of(model, "residual/dense/kernel"),
            Tensor::matrix({{200, 208, 204, 212}, {202, 210, 206, 214}, {201, 209, 205, 213}, {203, 211, 207, 215}}));
  EXPECT_EQ(parameter_of(model, "dense/kernel"), Tensor({4, 1}, {300, 302, 301, 303}));
}

TEST_F(Layouts, ALayerNormOverAnImageIsChannelsFirst) {
  Sequential model{Input{1, 2, 2}, LayerNormalization{.axis = {-3, -2, -1}}};
  load(model, {{"0.weight", {2, 1, 2}}, {"0.bias", {2, 1, 2}}});
  EXPECT_EQ(parameter_of(model, "layer_normalization/gamma"), Tensor({1, 2, 2}, {0, 2, 1, 3}));
  EXPECT_EQ(parameter_of(model, "layer_normalization/beta"), Tensor({1, 2, 2}, {100, 102, 101, 103}));
}

TEST_F(Layouts, TheGatesOfAGruAreRThenZ) {
  Sequential model{Input{2, 2}, GRU{1}};
  load(model, {{"0.weight_ih_l0", {3, 2}}, {"0.weight_hh_l0", {3, 1}}, {"0.bias_ih_l0", {3}}, {"0.bias_hh_l0", {3}}});
  EXPECT_EQ(parameter_of(model, "gru/kernel"), Tensor::matrix({{2, 0, 4}, {3, 1, 5}}));
  EXPECT_EQ(parameter_of(model, "gru/recurrent_kernel"), Tensor::matrix({{101, 100, 102}}));
  EXPECT_EQ(parameter_of(model, "gru/bias"), Tensor::matrix({{201, 200, 202}, {301, 300, 302}}));
}

TEST_F(Layouts, TheProjectionsOfAnAttentionAreStacked) {
  Sequential model{Input{3, 4}, MultiHeadAttention{.num_heads = 2, .key_dim = 2}};
  load(model, {{"0.in_proj_weight", {12, 4}},
               {"0.in_proj_bias", {12}},
               {"0.out_proj.weight", {4, 4}},
               {"0.out_proj.bias", {4}}});
  const Tensor key = parameter_of(model, "multi_head_attention/key/kernel");
  EXPECT_EQ(key, Tensor({4, 2, 2}, {16, 20, 24, 28, 17, 21, 25, 29, 18, 22, 26, 30, 19, 23, 27, 31}));
  EXPECT_EQ(parameter_of(model, "multi_head_attention/value/bias"), counted({2, 2}, 108));
}

TEST_F(Layouts, MissingScalesAndShiftsAreConstants) {
  Sequential model{Input{2}, BatchNormalization{.center = false}};
  model.save_weights(folder / "w", {.names = Names::pytorch});
  const SafetensorsFile file(folder / "w");
  EXPECT_EQ(file.tensor("0.bias"), Tensor({2}));
  EXPECT_EQ(file.find("0.num_batches_tracked")->dtype, Dtype::i64);
  EXPECT_TRUE(model.load_weights(folder / "w", {.names = Names::pytorch}));

  write_counted(folder / "w", {{"0.weight", {2}}, {"0.bias", {2}}, {"0.running_mean", {2}}, {"0.running_var", {2}}});
  const WeightsReport report = model.load_weights(folder / "w", {.strict = false, .names = Names::pytorch});
  EXPECT_EQ(report.mismatched,
            std::vector<std::string>{"0.bias of batch_normalization must be 0 everywhere, the file has other values"});
}

// ---- Without an equivalent in PyTorch ----

TEST_F(Layouts, LayersThatPyTorchCannotExpressAreRefused) {
  expect_refused({Input{2, 1}, GRU{.units = 1, .reset_after = false}},
                 "gru: reset_after is false; PyTorch's GRU resets after the product with the recurrent kernel");
  expect_refused({Input{2, 4}, MultiHeadAttention{.num_heads = 2, .key_dim = 4}},
                 "multi_head_attention: 2 heads of size 4 (values: 4) for 4 features; PyTorch's MultiheadAttention "
                 "requires heads times size to equal the number of features, also for values");
  expect_refused({Input{2, 4}, LayerNormalization{.axis = {-2, -1}, .scale = false}},
                 "layer_normalization: PyTorch's LayerNorm over several axes has both a weight and a bias; scale and "
                 "center are false and true");
  expect_refused(
      {Input{2, 1, 2}, Flatten{}, Gain{}},
      "gain: its input or output is the image (2, 1, 2), channels first in PyTorch; the order is not known for a Gain");
}

TEST_F(Layouts, AnImageWhoseUseCannotBeDeterminedIsRefused) {
  expect_refused({Input{2, 1, 2}, Concatenate{{Flatten{}}, {GlobalAveragePooling2D{}}}, Dense{1}},
                 "flatten: PyTorch stores the elements of the image (2, 1, 2) channels first, but the layer that uses "
                 "them cannot be determined");
  expect_refused({Input{2, 1, 2}, Flatten{}, Reshape{1, 1, 4}, Conv2D{.filters = 1, .kernel_size = 1}},
                 "flatten and reshape: PyTorch stores the same elements as images of shapes (2, 1, 2) and (1, 4), "
                 "channels first; no order of weights fits both");
  expect_refused({Input{3, 2, 1, 2}, TimeDistributed{Flatten{}}, Dense{1}},
                 "flatten: PyTorch stores the elements of the image (2, 1, 2) channels first, but the layer that uses "
                 "them cannot be determined");
  Sequential last{Input{2, 1, 2}, Conv2D{.filters = 2, .kernel_size = 1}, Flatten{}};
  EXPECT_NO_THROW(last.save_weights(folder / "w", {.names = Names::pytorch}));  // the order does not affect any weight
}

}  // namespace
}  // namespace cornu
