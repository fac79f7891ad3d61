// Compares each layer with PyTorch's: results, gradients and state after a step, for equal weights.
// The values are from ../fixtures/layers.py; set CORNU_LAYERS to compare with another file.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/freeze.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/fixture.h"

namespace cornu {
namespace {

/// The tensors of a case by name: "x", "kernel", "d:kernel" ...
using Tensors = std::map<std::string, Tensor>;

std::map<std::string, Tensors> layer_cases() {
  std::ifstream file = testing::open_fixture("CORNU_LAYERS", "tests/layers/fixtures/layers.txt");
  std::map<std::string, Tensors> result;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string which, what, shape;
    words >> which >> what >> shape;
    std::vector<Index> dimensions;
    std::istringstream numbers(shape == "-" ? "" : shape);
    for (std::string number; std::getline(numbers, number, ',');) dimensions.push_back(std::stol(number));
    std::vector<Real> values;
    for (std::string word; words >> word;) values.push_back(static_cast<Real>(std::stod(word)));
    result[which].emplace(what, Tensor(Shape(dimensions), values));
  }
  return result;
}

void expect_as_in_pytorch(const std::string& what, const Tensor& got, const Tensor& expected) {
  const double allowed = std::is_same_v<Real, double> ? 1e-10 : 1e-5;
  ASSERT_EQ(got.shape(), expected.shape()) << what;
  for (Index i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], allowed * std::max(1.0, std::abs(static_cast<double>(expected[i]))))
        << what << " at " << i;
  }
}

/// Checks that a layer computes from the case's x and parameters what PyTorch does.
void expect_agreement(AnyLayer layer, const Tensors& expected) {
  const Tensor &x = expected.at("x"), &g = expected.at("g");
  std::size_t compared = 3;  // x, g, y
  Rng rng(1);
  EXPECT_EQ(layer.build(x.shape().sub(1), rng), g.shape().sub(1));
  for (const auto& [name, parameter] : layer.parameters()) {
    ASSERT_TRUE(expected.contains(name)) << name;
    ASSERT_EQ(parameter->shape(), expected.at(name).shape()) << name;
    parameter->value = expected.at(name);
    ++compared;
  }
  Tape tape(Mode::training);
  const Var in = tape.variable(x), y = layer.forward(in);
  expect_as_in_pytorch("y", Tensor(y.value()), expected.at("y"));
  const Gradients gradients = tape.backward(y, g);
  if (in.has_gradient()) {
    expect_as_in_pytorch("the gradient of x", Tensor(gradients[in]), expected.at("d:x"));
    ++compared;
  }
  for (const auto& [name, parameter] : layer.parameters()) {
    if (!parameter->trainable) continue;
    if (parameter->frozen) ++compared;  // has no gradient here
    if (!parameter->learns()) continue;
    expect_as_in_pytorch("the gradient of " + name, Tensor(gradients[*parameter]), expected.at("d:" + name));
    ++compared;
  }
  for (const Gradients::Update& update : gradients.updates()) {
    for (const auto& [name, parameter] : layer.parameters()) {
      if (parameter != update.parameter) continue;
      expect_as_in_pytorch("the new " + name, Tensor(update.value), expected.at("new:" + name));
      ++compared;
    }
  }
  EXPECT_EQ(compared, expected.size()) << "every tensor of the case is compared";
}

/// A frozen copy of the layer.
template <Layer L>
AnyLayer frozen(L layer) {
  freeze(layer);
  return layer;
}

/// The layer for each case of the script.
std::vector<std::pair<std::string, AnyLayer>> pytorch_layers() {
  constexpr Padding same = Padding::same;
  return {
      {"dense", Dense{4}},
      {"dense_no_bias", Dense{.units = 4, .use_bias = false}},
      {"dense_rank_3", Dense{4}},
      {"dense_gelu", Dense{4, gelu}},
      {"conv2d", Conv2D{.filters = 3, .kernel_size = {3, 2}}},
      {"conv2d_no_bias", Conv2D{.filters = 3, .kernel_size = {3, 2}, .use_bias = false}},
      {"conv2d_relu", Conv2D{.filters = 3, .kernel_size = {3, 2}, .activation = relu}},
      {"conv2d_same", Conv2D{.filters = 3, .kernel_size = {3, 2}, .padding = same}},
      {"conv2d_strides", Conv2D{.filters = 3, .kernel_size = {2, 3}, .strides = {2, 1}}},
      {"conv2d_strides_same", Conv2D{.filters = 3, .kernel_size = 3, .strides = {2, 3}, .padding = same}},
      {"conv2d_dilation", Conv2D{.filters = 3, .kernel_size = {3, 2}, .dilation_rate = {2, 1}}},
      {"conv2d_dilation_same", Conv2D{.filters = 3, .kernel_size = {2, 3}, .padding = same, .dilation_rate = 2}},
      {"conv2d_groups", Conv2D{.filters = 6, .kernel_size = 3, .groups = 2}},
      {"max_pooling", MaxPooling2D{}},
      {"max_pooling_strides", MaxPooling2D{.pool_size = {3, 2}, .strides = {1, 2}}},
      {"max_pooling_same", MaxPooling2D{.pool_size = {3, 2}, .strides = 2, .padding = same}},
      {"average_pooling", AveragePooling2D{}},
      {"average_pooling_strides", AveragePooling2D{.pool_size = {3, 2}, .strides = {1, 2}}},
      {"average_pooling_same", AveragePooling2D{.pool_size = {3, 2}, .strides = 2, .padding = same}},
      {"global_average_pooling", GlobalAveragePooling2D{}},
      {"batch_normalization", BatchNormalization{.momentum = 0.9}},
      {"batch_normalization_images", BatchNormalization{.momentum = 0.9}},
      {"batch_normalization_bare",
       BatchNormalization{.momentum = 0.9, .epsilon = 0.1, .center = false, .scale = false}},
      {"batch_normalization_inference", frozen(BatchNormalization{})},
      {"layer_normalization", LayerNormalization{}},
      {"layer_normalization_rank_3", LayerNormalization{}},
      {"layer_normalization_axes", LayerNormalization{.axis = {-2, -1}}},
      {"layer_normalization_bare", LayerNormalization{.center = false, .scale = false}},
      {"embedding", Embedding{.input_dim = 5, .output_dim = 3}},
      {"embedding_rank_2", Embedding{.input_dim = 5, .output_dim = 3}},
      {"relu", ReLU{}},
      {"sigmoid", Sigmoid{}},
      {"tanh", Tanh{}},
      {"leaky_relu", LeakyReLU{}},
      {"elu", ELU{}},
      {"elu_alpha", ELU{.alpha = 0.5}},
      {"gelu", GELU{}},
      {"gelu_approximate", GELU{.approximate = true}},
      {"swish", Swish{}},
      {"softplus", Softplus{}},
      {"softmax", Softmax{}},
      {"softmax_axis", Softmax{.axis = 1}},
  };
}

TEST(AgainstPyTorch, ResultsAndGradientsMatch) {
  const auto cases = layer_cases();
  for (const auto& [name, layer] : pytorch_layers()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(cases.contains(name));
    expect_agreement(layer, cases.at(name));
  }
}

TEST(AgainstPyTorch, EveryCaseIsCompared) {
  std::set<std::string> known;
  for (const auto& [name, layer] : pytorch_layers()) known.insert(name);
  for (const auto& [name, tensors] : layer_cases()) EXPECT_TRUE(known.contains(name)) << name;
}

}  // namespace
}  // namespace cornu
