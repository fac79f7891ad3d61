#include <fmt/format.h>

#include <utility>

#include "cornu/core/ops/eager.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/models/export_cpp/layers.h"

namespace cornu::detail {

namespace {

CppValue embedding(CppProgram& program, const Embedding& layer, const CppValue& x) {
  const CppValue y = program.make(x.shape.inserted(x.shape.rank(), layer.output_dim));
  program.call("look_up", fmt::format("{}, {}, {}", x.shape.size(), layer.input_dim, layer.output_dim), {&x, 1},
               program.weights("embeddings", layer.embeddings.value), y);
  return y;
}

/// The last arguments of the kernels "lstm" and "gru".
template <class Layer>
std::string functions_of(const CppProgram& program, const Layer& layer) {
  return function_text(program, layer.activation) + ", " + function_text(program, layer.recurrent_activation);
}

template <class Layer>
CppValue states(CppProgram& program, const Layer& layer, const CppValue& x) {
  return program.make(layer.return_sequences ? Shape{x.shape[0], layer.units} : Shape{layer.units});
}

CppValue lstm(CppProgram& program, const LSTM& layer, const CppValue& x) {
  const Index steps = x.shape[0], units = layer.units;
  const std::string weights = weights_and_bias(program, layer.kernel, 4 * units, layer.use_bias, layer.bias);
  const CppValue inputs[] = {product(program, x, 4 * units, weights, {steps, 4 * units}), program.make({6 * units})};
  const CppValue y = states(program, layer, x);
  program.call("lstm", fmt::format("{}, {}, {}, {}", steps, units, layer.return_sequences, layer.go_backwards), inputs,
               program.weights("recurrent_kernel", layer.recurrent_kernel.value) + ", " + functions_of(program, layer),
               y);
  return y;
}

CppValue gru(CppProgram& program, const GRU& layer, const CppValue& x) {
  const Index steps = x.shape[0], units = layer.units;
  const bool two_biases = layer.use_bias && layer.reset_after;
  const auto bias = [&](const char* name, Index row, Index begin, Index end) {
    const Tensor all = reshape(layer.bias.value, {-1, 3 * units});
    const Tensor part = slice_axis(slice_axis(all, 0, row, row + 1), 1, begin, end);
    return program.array(name, part);
  };
  const std::string weights = program.weights("kernel", layer.kernel.value),
                    of_input = layer.use_bias ? bias("bias", 0, 0, 3 * units) : "nullptr";
  const CppValue inputs[] = {product(program, x, 3 * units, weights + ", " + of_input, {steps, 3 * units}),
                             program.make({5 * units})};
  const CppValue y = states(program, layer, x);
  const auto part = [&](const char* name, const char* bias_name, Index begin, Index end) {
    return program.weights(name, slice_axis(layer.recurrent_kernel.value, 1, begin, end)) + ", " +
           (two_biases ? bias(bias_name, 1, begin, end) : "nullptr");
  };
  const std::string of_gates = part("recurrent_gates", "recurrent_gates_bias", 0, 2 * units),
                    of_candidate = part("recurrent_candidate", "recurrent_candidate_bias", 2 * units, 3 * units);
  program.call(
      "gru",
      fmt::format("{}, {}, {}, {}, {}", steps, units, layer.return_sequences, layer.go_backwards, layer.reset_after),
      inputs, of_gates + ", " + of_candidate + ", " + functions_of(program, layer), y);
  return y;
}

CppValue attention(CppProgram& program, const MultiHeadAttention& layer, const CppValue& x) {
  const Index steps = x.shape[0], heads = layer.num_heads, size = layer.key_dim, width = layer.value.kernel.shape()[2];
  const auto project = [&](const char* name, const MultiHeadAttention::Projection& by, const CppValue& from,
                           Index outputs) {
    program.enter(name);
    const std::string weights = weights_and_bias(program, by.kernel, outputs, layer.use_bias, by.bias);
    program.leave();
    return product(program, from, outputs, weights, {steps, outputs});
  };
  const CppValue parts[] = {project("query", layer.query, x, heads * size), project("key", layer.key, x, heads * size),
                            project("value", layer.value, x, heads * width),
                            program.make({steps})};  // scratch memory for the scores
  const CppValue seen = program.make({steps, heads * width});
  program.call("attend", fmt::format("{}, {}, {}, {}, {}", steps, heads, size, width, layer.use_causal_mask), parts, "",
               seen);
  return project("attention_output", layer.attention_output, seen, x.shape[1]);
}

}  // namespace

std::optional<CppValue> write_sequence_layer(CppProgram& program, const AnyLayer& any, const CppValue& x) {
  if (const auto* layer = any.as<Embedding>()) return embedding(program, *layer, x);
  if (const auto* layer = any.as<LSTM>()) return lstm(program, *layer, x);
  if (const auto* layer = any.as<GRU>()) return gru(program, *layer, x);
  if (const auto* layer = any.as<MultiHeadAttention>()) return attention(program, *layer, x);
  return std::nullopt;
}

}  // namespace cornu::detail
