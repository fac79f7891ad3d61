#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/onnx/exporter.h"

namespace cornu::onnx::detail {

namespace {

/// The column blocks of a (rows, blocks units) matrix, reordered and transposed: (1, blocks units, rows).
Tensor gates(const Tensor& kernel, Index units, std::initializer_list<Index> order) {
  std::vector<Tensor> blocks;
  for (const Index block : order) blocks.push_back(slice_axis(kernel, -1, block * units, (block + 1) * units));
  const Tensor columns = concatenate(blocks, -1);
  return reshape(transpose(columns), {1, columns.shape()[1], columns.shape()[0]});
}

/// An LSTM or GRU. `order`: the index in Cornu of each of ONNX's gates. `biases`: (2, gates), for the input and for the
/// state.
template <class Layer>
Exported recurrent(Exporter& to, const Layer& layer, const Exported& input, const Shape& result, const char* op,
                   std::initializer_list<Index> order, const Tensor& biases, std::vector<Given> attributes) {
  require<ValueError>(layer.activation.is(tanh) && layer.recurrent_activation.is(sigmoid),
                      "its activations must be tanh and sigmoid to be written");
  const Exported x = to.transposed(to.channels_last(input), {1, 0, 2});  // (steps, batch, features)
  std::vector<std::string> inputs{
      x.name, to.weight("kernel", gates(layer.kernel.value, layer.units, order)),
      to.weight("recurrent_kernel", gates(layer.recurrent_kernel.value, layer.units, order))};
  if (layer.use_bias) {
    const Tensor both = gates(biases, layer.units, order);  // (1, gates, 2)
    inputs.push_back(to.weight("bias", reshape(transpose(both, {0, 2, 1}), {1, both.size()})));
  }
  attributes.push_back({"hidden_size", layer.units});
  attributes.push_back({"direction", layer.go_backwards ? "reverse" : "forward"});
  // The outputs: all states (steps, 1, batch, units), and the last state (1, batch, units).
  const std::string node = to.writer.unique_name(to.layer);
  const std::vector<std::string> outputs{to.writer.unique_name(to.layer + "_states"),
                                         to.writer.unique_name(to.layer + "_last")};
  to.writer.node_of(op, "", inputs, outputs, attributes, node);
  const Index one = 1, zero = 0, least = std::numeric_limits<Index>::min(), minus_one = -1;
  if (!layer.return_sequences) {
    return {to.writer.node("Squeeze", {outputs[1], to.numbers("axes", {&zero, 1})}, {}, to.layer), result};
  }
  const std::string states = to.writer.node("Squeeze", {outputs[0], to.numbers("axes", {&one, 1})}, {}, to.layer);
  Exported y = to.transposed({states, result}, {1, 0, 2});
  if (layer.go_backwards) {  // ONNX returns states in order of time, Cornu in order of processing
    y.name = to.writer.node("Slice",
                            {y.name, to.numbers("starts", {&minus_one, 1}), to.numbers("ends", {&least, 1}),
                             to.numbers("steps_axis", {&one, 1}), to.numbers("steps", {&minus_one, 1})},
                            {}, to.layer);
  }
  return y;
}

/// ONNX adds two biases, Cornu has one: the bias and a row of zeros.
Tensor beside_zeros(const Tensor& bias) {
  const Shape row{1, bias.size()};
  return concatenate({reshape(bias, row), Tensor(row)}, 0);
}

Exported lstm(Exporter& to, const LSTM& layer, const Exported& x, const Shape& result) {
  const Tensor biases = layer.use_bias ? beside_zeros(layer.bias.value) : Tensor();
  return recurrent(to, layer, x, result, "LSTM", {0, 3, 1, 2}, biases, {});  // i, o, f, c
}

Exported gru(Exporter& to, const GRU& layer, const Exported& x, const Shape& result) {
  const Tensor biases =
      layer.use_bias && !layer.reset_after ? beside_zeros(layer.bias.value) : Tensor(layer.bias.value);
  const Index after = layer.reset_after ? 1 : 0;
  return recurrent(to, layer, x, result, "GRU", {0, 1, 2}, biases, {{"linear_before_reset", after}});
}

/// x W + b for x (batch, steps, in). The kernel is reshaped to (in, out), the bias to (out).
std::string projected(Exporter& to, const std::string& x, const char* name, const MultiHeadAttention::Projection& by,
                      Index in, bool use_bias) {
  const std::string outer = to.layer;
  to.layer += std::string("/") + name;
  std::string y = to.writer.node("MatMul", {x, to.weight("kernel", reshape(by.kernel.value, {in, -1}))}, {}, to.layer);
  if (use_bias) y = to.writer.node("Add", {y, to.weight("bias", reshape(by.bias.value, {-1}))}, {}, to.layer);
  to.layer = outer;
  return y;
}

Exported attention(Exporter& to, const MultiHeadAttention& layer, const Exported& input, const Shape& result) {
  const Exported x = to.channels_last(input);
  const Index steps = x.shape[0], features = x.shape[1], heads = layer.num_heads;
  const Index split[] = {0, 0, heads, -1}, joined[] = {0, 0, -1};
  const std::string apart = to.numbers("split", split), together = to.numbers("joined", joined);
  const auto part = [&](const char* name, const MultiHeadAttention::Projection& by, std::vector<Index> order) {
    const std::string y = projected(to, x.name, name, by, features, layer.use_bias);
    return to.transposed({to.writer.node("Reshape", {y, apart}, {}, to.layer), {}}, std::move(order)).name;
  };
  const std::string q = part("query", layer.query, {0, 2, 1, 3}), k = part("key", layer.key, {0, 2, 3, 1}),
                    v = part("value", layer.value, {0, 2, 1, 3});
  const auto scale = static_cast<Real>(1 / std::sqrt(static_cast<double>(layer.key_dim)));
  std::string weights = to.writer.node("MatMul", {q, k}, {}, to.layer);
  weights = to.writer.node("Mul", {weights, to.constant(Tensor::scalar(scale))}, {}, to.layer);
  if (layer.use_causal_mask) {
    Tensor mask({steps, steps});
    for (Index i = 0; i < steps; ++i) {
      for (Index j = i + 1; j < steps; ++j) mask.at({i, j}) = -std::numeric_limits<Real>::infinity();
    }
    weights = to.writer.node("Add", {weights, to.constant(mask)}, {}, to.layer);
  }
  weights = to.writer.node("Softmax", {weights}, {{"axis", Index{-1}}}, to.layer);
  const std::string seen = to.writer.node("MatMul", {weights, v}, {}, to.layer);
  const std::string y =
      to.writer.node("Reshape", {to.transposed({seen, {}}, {0, 2, 1, 3}).name, together}, {}, to.layer);
  const Index in = layer.attention_output.kernel.shape()[0] * layer.attention_output.kernel.shape()[1];
  return {projected(to, y, "attention_output", layer.attention_output, in, layer.use_bias), result};
}

}  // namespace

std::optional<Exported> export_sequence_layer(Exporter& to, const AnyLayer& any, const Exported& x,
                                              const Shape& result) {
  if (const auto* layer = any.as<LSTM>()) return lstm(to, *layer, x, result);
  if (const auto* layer = any.as<GRU>()) return gru(to, *layer, x, result);
  if (const auto* layer = any.as<MultiHeadAttention>()) return attention(to, *layer, x, result);
  return std::nullopt;
}

}  // namespace cornu::onnx::detail
