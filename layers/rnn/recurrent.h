#pragma once

#include "cornu/core/ops/sequences.h"
#include "cornu/core/option_checks.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/build_checks.h"
#include "cornu/layers/new_parameter.h"
#include "cornu/layers/registry.h"

/// Shared by the implementations of LSTM and GRU.
namespace cornu::detail {

/// Check a sample's shape, and the input of forward. Throw what LSTM and GRU document.
void require_recurrent_sample(const char* who, const Shape& sample);
void require_recurrent_input(const char* who, const Parameter& kernel, Var x);

/// Builds an LSTM or GRU. `gates`: how many gates it has. `bias_rows`: 1 for a bias (gates units), 2 for
/// (2, gates units). Returns the shape of an output sample.
template <class L>
Shape build_recurrent(const char* who, L& layer, Index gates, Index bias_rows, const Shape& input, Rng& rng) {
  require_positive(who, "units", layer.units);
  require_initializers(who, {{"kernel_initializer", layer.kernel_initializer},
                             {"recurrent_initializer", layer.recurrent_initializer},
                             {"bias_initializer", layer.bias_initializer}});
  require_recurrent_sample(who, input);
  const Index width = Shape{gates, layer.units}.size();  // throws on overflow
  const Shape bias = bias_rows == 1 ? Shape{width} : Shape{bias_rows, width};
  create_parameters({{layer.kernel, Shape{input[1], width}, layer.kernel_initializer, layer.kernel_regularizer,
                      layer.kernel_constraint},
                     {layer.recurrent_kernel, Shape{layer.units, width}, layer.recurrent_initializer,
                      layer.recurrent_regularizer, layer.recurrent_constraint},
                     {layer.bias, shape_if(layer.use_bias, bias), layer.bias_initializer, layer.bias_regularizer,
                      layer.bias_constraint}},
                    rng);
  return layer.return_sequences ? Shape{input[0], layer.units} : Shape{layer.units};
}

template <class L>
NamedParameters recurrent_parameters(L& layer) {
  NamedParameters result{{"kernel", &layer.kernel}, {"recurrent_kernel", &layer.recurrent_kernel}};
  if (layer.use_bias) result.push_back({"bias", &layer.bias});
  return result;
}

template <class L>
RecurrentOptions recurrent_options(const L& layer) {
  return {.return_sequences = layer.return_sequences, .go_backwards = layer.go_backwards};
}

/// True for tanh and sigmoid, which the fused ops of core require.
bool are_usual(const Activation& activation, const Activation& recurrent_activation);

/// Runs a recurrent layer with smaller ops, if the fused ops do not support it: h = next(inputs_t, h) for each step of
/// `inputs` (batch, steps, width), with inputs_t (batch, width) and h (batch, units). An empty h starts from zeros.
/// Returns the same shapes as the fused ops.
template <class Next>
Var each_step(Var inputs, Index units, const RecurrentOptions& options, Next next, Var h = {}) {
  Tape& tape = inputs.tape();
  const Index batch = inputs.shape()[0], steps = inputs.shape()[1];
  if (!h) {
    const View nothing = tape.scratch({batch, units});
    std::fill(nothing.begin(), nothing.end(), Real{0});
    h = tape.input(nothing);
  }
  auto* const states = static_cast<Var*>(tape.allocate(static_cast<std::size_t>(steps) * sizeof(Var)));
  for (Index turn = 0; turn < steps; ++turn) {
    const Index step = options.go_backwards ? steps - 1 - turn : turn;
    h = next(reshape(slice_axis(inputs, 1, step, step + 1), {batch, inputs.shape()[2]}), h);
    new (states + turn) Var(reshape(h, {batch, 1, units}));
  }
  return options.return_sequences ? concatenate(std::span<const Var>(states, static_cast<std::size_t>(steps)), 1) : h;
}

/// Calls `formula`, which runs a recurrent layer with smaller ops. In a trace it is one op of this name, if both
/// activations have names. reset_after: of a GRU.
template <class L, std::invocable F>
Var as_one_op(const char* name, const L& layer, Var x, bool reset_after, F formula) {
  if (x.tape().recording() == nullptr) return formula();
  const std::string activation = activation_registry().find_name(layer.activation.function()),
                    recurrent = activation_registry().find_name(layer.recurrent_activation.function());
  if (activation.empty() || recurrent.empty()) return formula();
  const auto composed = [&](std::initializer_list<Operand> operands) {
    return composite(x.tape(),
                     {name,
                      {{"activation", activation.c_str()},
                       {"recurrent_activation", recurrent.c_str()},
                       {"return_sequences", layer.return_sequences},
                       {"go_backwards", layer.go_backwards},
                       {"reset_after", reset_after}}},
                     operands, formula);
  };
  return layer.use_bias ? composed({x, layer.kernel, layer.recurrent_kernel, layer.bias})
                        : composed({x, layer.kernel, layer.recurrent_kernel});
}

}  // namespace cornu::detail
