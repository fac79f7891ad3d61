// Compares the layers for sequences, pooling of them, and a depthwise convolution, with PyTorch's. The values are from
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

#include "cornu/core/ops/masks.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/pooling/average_pooling1d.h"
#include "cornu/layers/pooling/global_average_pooling1d.h"
#include "cornu/layers/pooling/global_max_pooling1d.h"
#include "cornu/layers/pooling/max_pooling1d.h"
#include "cornu/layers/rnn/bidirectional.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/layers/rnn/simple_rnn.h"
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

/// The layer's parameters, by their names in the file.
template <class L>
NamedParameters parameters_in_file(L& layer) {
  if constexpr (std::is_same_v<L, Bidirectional>) {
    NamedParameters result;
    for (const NamedLayer& one : layer.layers()) {
      const std::string direction = one.name.substr(0, one.name.find('_') + 1);  // forward_ or backward_
      for (const auto& [name, parameter] : one.layer->parameters()) result.push_back({direction + name, parameter});
    }
    return result;
  } else if constexpr (requires { layer.parameters(); }) {
    return layer.parameters();
  } else {
    return {};
  }
}

/// Compares the built layer's output and gradients; f computes the output from the inputs.
template <class L, class F>
void compare(L layer, const std::vector<Shape>& shapes, const Case& expected, F f) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : shapes) inputs.push_back(numbers(inputs.size(), shape));
  std::size_t k = inputs.size();
  const NamedParameters parameters = parameters_in_file(layer);
  for (const auto& [name, parameter] : parameters) parameter->value = numbers(k++, parameter->shape());
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
  for (const auto& [name, parameter] : parameters) expect_numbers(name, expected, gradients[*parameter]);
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

/// All elements of the values.
Var in_one_row(std::initializer_list<Var> values) {
  std::vector<Var> rows;
  for (const Var value : values) rows.push_back(reshape(value, {value.value().size()}));
  return concatenate(rows, 0);
}

/// The comparison for a recurrent layer that starts from a state, and returns the last one.
template <class L>
Comparison from_state(L layer) {
  return [=](const Case& expected) mutable {
    Rng rng(1);
    layer.build({3, 2}, rng);
    const auto f = [](const L& built, const std::vector<Var>& v) {
      if constexpr (std::is_same_v<L, LSTM>) {
        const auto [y, state] = built.forward(v[0], {v[1], v[2]});
        return in_one_row({y, state.h, state.c});
      } else {
        const auto [y, state] = built.forward(v[0], {v[1]});
        return in_one_row({y, state.h});
      }
    };
    std::vector<Shape> shapes{{2, 3, 2}, {2, layer.units}};
    if (std::is_same_v<L, LSTM>) shapes.push_back(shapes.back());
    compare(layer, shapes, expected, f);
  };
}

template <class L>
void add_recurrent(std::map<std::string, Comparison>& all, const std::string& name) {
  all[name] = of(L{.units = 4}, {3, 5, 2});
  all[name + "_sequences"] = of(L{.units = 3, .return_sequences = true}, {2, 4, 3});
  all[name + "_backwards"] = of(L{.units = 3, .return_sequences = true, .go_backwards = true}, {2, 4, 3});
  all[name + "_without_bias"] = of(L{.units = 5, .use_bias = false}, {1, 3, 2});
  all[name + "_from_state"] = from_state(L{.units = 3});
  all[name + "_sequences_from_state"] = from_state(L{.units = 3, .return_sequences = true});
  all[name + "_backwards_from_state"] = from_state(L{.units = 3, .return_sequences = true, .go_backwards = true});
  all[name + "_both_ways"] = of(Bidirectional{L{.units = 3}}, {2, 3, 2});
  all[name + "_sequences_both_ways"] = of(Bidirectional{L{.units = 3, .return_sequences = true}}, {2, 3, 2});
}

/// For each sample 1 for the first keys, then 0.
Tensor mask_of_keys(const std::vector<Index>& counts, Index keys) {
  Tensor result({static_cast<Index>(counts.size()), keys});
  for (Index i = 0; i < result.size(); ++i) result[i] = i % keys < counts[static_cast<std::size_t>(i / keys)] ? 1 : 0;
  return result;
}

/// Attention's output and weights, to itself (one shape) or from queries to values and keys, with a mask of the scores
/// as the last input if `scores`. padding: for each sample the number of keys that count; empty: all.
Comparison attended(MultiHeadAttention layer, std::vector<Shape> shapes, const std::vector<Index>& padding,
                    bool scores = false) {
  const Shape query = shapes.front(), value = shapes[shapes.size() > 1 ? 1 : 0], key = shapes.back();
  if (scores) shapes.push_back({query[0], layer.num_heads, query[1], key[1]});
  return [=](const Case& expected) mutable {
    Rng rng(1);
    layer.build(query.sub(1), value.sub(1), key.sub(1), rng);
    const Tensor mask = mask_of_keys(padding, key[1]);
    compare(layer, shapes, expected, [&](const MultiHeadAttention& built, const std::vector<Var>& v) {
      const bool itself = v.size() < 3;
      const auto [y, weights] =
          built.attend(v[0], v[itself ? 0 : 1], v[itself ? 0 : 2],
                       {padding.empty() ? Var() : v[0].tape().input(mask), scores ? v.back() : Var()});
      return in_one_row({y, weights});
    });
  };
}

/// The comparison for sequences of these lengths, padded at the end; with `states` also of the last states.
template <class L>
Comparison padded(L layer, const std::vector<Index>& lengths, Index steps, bool states = false) {
  return [=](const Case& expected) mutable {
    Rng rng(1);
    layer.build({steps, 2}, rng);
    const Tensor mask = mask_of_keys(lengths, steps);
    compare(layer, {{static_cast<Index>(lengths.size()), steps, 2}}, expected,
            [&](const L& built, const std::vector<Var>& v) {
              const Var counts = v[0].tape().input(mask), x = with_mask(v[0], counts);
              const auto zeroed = [&](Var y) {  // PyTorch's outputs at padded steps
                return y.rank() < 3 ? y : y * reshape(counts, {y.shape()[0], y.shape()[1], 1});
              };
              if constexpr (std::is_same_v<L, Bidirectional>) {
                return built.forward(x);  // these are zeros already
              } else if (states) {
                const auto [y, state] = built.forward(x, {});
                return state.c ? in_one_row({zeroed(y), state.h, state.c}) : in_one_row({zeroed(y), state.h});
              } else {
                return zeroed(built.forward(x));
              }
            });
  };
}

template <class L>
void add_padded(std::map<std::string, Comparison>& all, const std::string& name) {
  const L last{.units = 3}, sequences{.units = 3, .return_sequences = true};
  const std::vector<Index> lengths{2, 4, 1};
  all[name + "_padded"] = padded(last, lengths, 4);
  all[name + "_sequences_padded"] = padded(sequences, lengths, 4);
  all[name + "_states_padded"] = padded(sequences, {3, 1}, 3, true);
  all[name + "_both_ways_padded"] = padded(Bidirectional{last}, lengths, 4);
  all[name + "_sequences_both_ways_padded"] = padded(Bidirectional{sequences}, lengths, 4);
}

std::map<std::string, Comparison> comparisons() {
  std::map<std::string, Comparison> all;
  add_padded<LSTM>(all, "lstm");
  add_padded<GRU>(all, "gru");
  add_padded<SimpleRNN>(all, "rnn");
  all["lstm_sum_padded"] = padded(Bidirectional{LSTM{.units = 3, .return_sequences = true}, MergeMode::sum}, {2, 3}, 3);
  add_recurrent<LSTM>(all, "lstm");
  add_recurrent<GRU>(all, "gru");
  add_recurrent<SimpleRNN>(all, "rnn");
  all["rnn_relu"] = of(SimpleRNN{.units = 3, .activation = relu, .return_sequences = true}, {2, 4, 3});
  all["lstm_sum"] = of(Bidirectional{LSTM{.units = 3, .return_sequences = true}, MergeMode::sum}, {2, 3, 2});
  all["gru_mul"] = of(Bidirectional{GRU{.units = 3, .return_sequences = true}, MergeMode::mul}, {2, 3, 2});
  all["rnn_ave"] = of(Bidirectional{SimpleRNN{.units = 3, .return_sequences = true}, MergeMode::ave}, {2, 3, 2});
  all["lstm_activations"] = of(LSTM{.units = 3, .activation = elu, .recurrent_activation = softplus}, {2, 4, 2});
  GRU gru{.units = 3, .activation = elu, .recurrent_activation = softplus};
  all["gru_activations"] = of(gru, {2, 4, 2});
  gru.reset_after = false;
  all["gru_activations_reset_before"] = of(gru, {2, 4, 2});
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
  all["attention_padded"] = attended({.num_heads = 2, .key_dim = 3}, {{2, 4, 6}}, {4, 2});
  all["attention_causal_padded"] =
      attended({.num_heads = 2, .key_dim = 3, .use_causal_mask = true}, {{2, 4, 6}}, {3, 1});
  const std::vector<Shape> others{{2, 3, 4}, {2, 5, 2}, {2, 5, 3}};
  all["attention_scores"] = attended({.num_heads = 2, .key_dim = 2}, others, {}, true);
  all["attention_scores_padded"] = attended({.num_heads = 2, .key_dim = 2}, others, {2, 5}, true);
  all["max_pool1d"] = of(MaxPooling1D{.pool_size = 3, .strides = 2}, {2, 7, 3});
  all["max_pool1d_same"] = of(MaxPooling1D{.pool_size = 3, .strides = 1, .padding = Padding::same}, {2, 5, 3});
  all["average_pool1d"] = of(AveragePooling1D{.pool_size = 2}, {2, 7, 3});
  all["average_pool1d_same"] = of(AveragePooling1D{.pool_size = 3, .strides = 1, .padding = Padding::same}, {2, 5, 3});
  all["global_max_pool1d"] = of(GlobalMaxPooling1D{}, {2, 4, 3});
  all["global_average_pool1d"] = of(GlobalAveragePooling1D{}, {2, 4, 3});
  all["conv1d"] = of(Conv1D{.filters = 4, .kernel_size = 3}, {2, 7, 3});
  all["conv1d_same"] = of(Conv1D{.filters = 3, .kernel_size = 3, .padding = Padding::same}, {2, 6, 2});
  all["conv1d_causal"] =
      of(Conv1D{.filters = 3, .kernel_size = 3, .padding = Padding::causal, .dilation_rate = 2}, {2, 6, 2});
  all["conv1d_causal_strides"] =
      of(Conv1D{.filters = 3, .kernel_size = 3, .strides = 2, .padding = Padding::causal}, {1, 8, 2});
  all["conv1d_groups"] = of(Conv1D{.filters = 6, .kernel_size = 2, .groups = 2}, {1, 6, 4});
  all["conv1d_causal_groups"] = of(
      Conv1D{.filters = 6, .kernel_size = 2, .padding = Padding::causal, .dilation_rate = 2, .groups = 2}, {2, 8, 4});
  all["conv1d_same_dilation"] =
      of(Conv1D{.filters = 3, .kernel_size = 3, .padding = Padding::same, .dilation_rate = 2}, {2, 7, 2});
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
