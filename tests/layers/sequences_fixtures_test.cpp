// Compares the layers for sequences, and a depthwise convolution, with PyTorch's. The values are from
// fixtures/sequences.py; set CORNU_SEQUENCES to compare with another file.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/tests/support/fixture.h"

namespace cornu {
namespace {

constexpr double fixture_tolerance = std::is_same_v<Real, double> ? 1e-10 : 1e-5;

using Numbers = std::vector<double>;
/// Values by name, such as "output" or "kernel".
using Case = std::map<std::string, Numbers>;

std::map<std::string, Case> sequence_cases() {
  std::ifstream file = testing::open_fixture("CORNU_SEQUENCES", "tests/layers/fixtures/sequences.txt");
  std::map<std::string, Case> result;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string which, what;
    words >> which >> what;
    for (std::string word; words >> word;) result[which][what].push_back(std::stod(word));
  }
  return result;
}

/// Tensor number k of a case.
Tensor numbers(std::size_t k, const Shape& shape) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = static_cast<Real>(0.6 * std::sin(0.4 + 1.9 * static_cast<double>(k) + 0.8 * static_cast<double>(i)));
  }
  return result;
}

void expect_numbers(const std::string& what, const Case& expected, const ConstView& got) {
  SCOPED_TRACE(what);
  ASSERT_TRUE(expected.contains(what));
  const Numbers& want = expected.at(what);
  ASSERT_EQ(static_cast<std::size_t>(got.size()), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(got[static_cast<Index>(i)], want[i], fixture_tolerance * std::max(1.0, std::abs(want[i]))) << i;
  }
}

/// Compares the built layer's output and gradients; f computes the output from the inputs.
template <class L, class F>
void compare(L layer, const std::vector<Shape>& shapes, const Case& expected, F f) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(numbers(inputs.size(), shape));
  std::size_t k = inputs.size();
  for (const auto& [name, parameter] : layer.parameters()) parameter->value = numbers(k++, parameter->shape());
  Tape tape;
  std::vector<Var> variables;
  for (const Tensor& input : inputs) variables.push_back(tape.variable(input));
  const Var y = f(layer, variables);
  Tensor g(y.shape());
  for (Index i = 0; i < g.size(); ++i) g[i] = static_cast<Real>(std::cos(0.7 * static_cast<double>(i)));
  const Gradients gradients = tape.backward(y, g);
  EXPECT_EQ(expected.size(), 1 + k);
  expect_numbers("output", expected, y.value());
  for (std::size_t i = 0; i < variables.size(); ++i) {
    expect_numbers("input" + std::to_string(i), expected, gradients[variables[i]]);
  }
  for (const auto& [name, parameter] : layer.parameters()) expect_numbers(name, expected, gradients[*parameter]);
}

using Comparison = std::function<void(const Case&)>;

/// The comparison for a layer with one input.
template <class L>
Comparison of(L layer, const Shape& x) {
  return [=](const Case& expected) mutable {
    Rng rng(1);
    layer.build(x.sub(1), rng);
    compare(layer, {x}, expected, [](const L& built, const std::vector<Var>& v) { return built.forward(v[0]); });
  };
}

template <class L>
void add_recurrent(std::map<std::string, Comparison>& all, const std::string& name) {
  all[name] = of(L{.units = 4}, {3, 5, 2});
  all[name + "_sequences"] = of(L{.units = 3, .return_sequences = true}, {2, 4, 3});
  all[name + "_backwards"] = of(L{.units = 3, .return_sequences = true, .go_backwards = true}, {2, 4, 3});
  all[name + "_without_bias"] = of(L{.units = 5, .use_bias = false}, {1, 3, 2});
}

std::map<std::string, Comparison> comparisons() {
  std::map<std::string, Comparison> all;
  add_recurrent<LSTM>(all, "lstm");
  add_recurrent<GRU>(all, "gru");
  all["attention"] = of(MultiHeadAttention{.num_heads = 3, .key_dim = 2}, {2, 4, 6});
  all["attention_causal"] = of(MultiHeadAttention{.num_heads = 2, .key_dim = 3, .use_causal_mask = true}, {2, 4, 6});
  all["attention_without_bias"] =
      of(MultiHeadAttention{.num_heads = 2, .key_dim = 2, .use_bias = false, .use_causal_mask = true}, {1, 5, 4});
  all["attention_to_another"] = [](const Case& expected) {
    MultiHeadAttention layer{.num_heads = 2, .key_dim = 2};
    Rng rng(1);
    layer.build({3, 4}, {5, 2}, {5, 3}, rng);
    compare(layer, {{2, 3, 4}, {2, 5, 2}, {2, 5, 3}}, expected,
            [](const MultiHeadAttention& built, const std::vector<Var>& v) { return built.forward(v[0], v[1], v[2]); });
  };
  all["conv1d"] = of(Conv1D{.filters = 4, .kernel_size = 3}, {2, 7, 3});
  all["conv1d_same"] = of(Conv1D{.filters = 3, .kernel_size = 3, .padding = Padding::same}, {2, 6, 2});
  all["conv1d_causal"] =
      of(Conv1D{.filters = 3, .kernel_size = 3, .padding = Padding::causal, .dilation_rate = 2}, {2, 6, 2});
  all["conv1d_causal_strides"] =
      of(Conv1D{.filters = 3, .kernel_size = 3, .strides = 2, .padding = Padding::causal}, {1, 8, 2});
  all["conv1d_groups"] = of(Conv1D{.filters = 6, .kernel_size = 2, .groups = 2}, {1, 6, 4});
  all["depthwise"] = of(DepthwiseConv2D{.kernel_size = {3, 2}}, {2, 5, 4, 3});
  all["depthwise_same"] =
      of(DepthwiseConv2D{.kernel_size = 3, .padding = Padding::same, .depth_multiplier = 2}, {1, 4, 5, 2});
  all["depthwise_strides"] = of(DepthwiseConv2D{.kernel_size = {2, 3}, .strides = 2}, {1, 7, 5, 2});
  all["depthwise_dilation"] = of(DepthwiseConv2D{.kernel_size = 2, .dilation_rate = 2}, {1, 6, 5, 2});
  return all;
}

TEST(SequencesAgainstPyTorch, OutputsAndGradientsMatch) {
  const auto expected = sequence_cases();
  for (const auto& [name, compare_with] : comparisons()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(expected.contains(name));
    compare_with(expected.at(name));
  }
}

TEST(SequencesAgainstPyTorch, EveryCaseIsCompared) {
  const auto known = comparisons();
  for (const auto& [name, numbers_of_case] : sequence_cases()) EXPECT_TRUE(known.contains(name)) << name;
}

}  // namespace
}  // namespace cornu
