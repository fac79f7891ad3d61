#pragma once

#include "cornu/core/ops/masks.h"
#include "cornu/core/ops/sequences.h"
#include "cornu/core/option_checks.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/build_checks.h"
#include "cornu/layers/new_parameter.h"
#include "cornu/layers/pytorch/pytorch_module.h"
#include "cornu/layers/registry.h"

/// Shared by the implementations of LSTM, GRU and SimpleRNN.
namespace cornu::detail {

/// Check a sample's shape, the input of forward, a state, and one that must not have a c. Throw what LSTM documents.
void require_recurrent_sample(const char* who, const Shape& sample);
void require_recurrent_input(const char* who, const Parameter& kernel, Var x);
void require_state(const char* who, Var state, Index batch, Index units);
void require_only_h(const char* who, const RecurrentState& state, Index batch, Index units);
/// Throws ValueError for a `dropout` or `recurrent_dropout` outside [0, 1).
void require_dropouts(const char* who, double dropout, double recurrent_dropout);

/// x, in training with the same elements of all steps dropped.
Var drop_features(Var x, double rate);
/// In training, the mask of a state: a factor for each sample and unit. Empty in inference and at rate 0.
Var dropout_mask_of_state(Var x, Index units, double rate);
inline Var masked(Var h, Var mask) { return mask ? h * mask : h; }

/// inputs + h kernel; an empty h is zeros. mask: of the state, see dropout_mask_of_state.
inline Var with_product(Var inputs, Var h, Var mask, Operand kernel) {
  return h ? inputs + matmul(masked(h, mask), kernel) : inputs;
}

/// The state after a step. counts: (batch, 1), 0 for a sample that keeps its `old` state, which is empty for zeros;
/// empty if the step counts for all.
inline Var next_state(Var counts, Var fresh, Var old) {
  if (!counts) return fresh;
  return old ? counts * fresh + (1 - counts) * old : counts * fresh;
}

/// Builds a recurrent layer. `gates`: how many gates it has. `bias_rows`: 1 for a bias (gates units), 2 for
/// (2, gates units). Returns the shape of an output sample.
template <class L>
Shape build_recurrent(const char* who, L& layer, Index gates, Index bias_rows, const Shape& input, Rng& rng) {
  require_positive(who, "units", layer.units);
  require_initializers(who, {{"kernel_initializer", layer.kernel_initializer},
                             {"recurrent_initializer", layer.recurrent_initializer},
                             {"bias_initializer", layer.bias_initializer}});
  require_dropouts(who, layer.dropout, layer.recurrent_dropout);
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

/// The tensors of PyTorch's RNN or LSTM, which adds two biases.
template <class L>
void add_rnn_tensors(PyTorchModule& module, L& layer) {
  module.add("weight_ih_l0", layer.kernel, {1, 0});
  module.add("weight_hh_l0", layer.recurrent_kernel, {1, 0});
  if (!layer.use_bias) return;
  module.add("bias_ih_l0", layer.bias);
  module.add("bias_hh_l0", layer.bias);
  module.tensors.back().use = PyTorchModule::Use::added;
}

template <class L>
RecurrentOptions recurrent_options(const L& layer) {
  return {.return_sequences = layer.return_sequences, .go_backwards = layer.go_backwards};
}

/// True if the fused ops of core compute what the layer does in this pass: with tanh and sigmoid, and no dropout of
/// states. In a trace, masked steps are written as smaller ops.
template <class L>
bool is_usual(const L& layer, Var x) {
  const Tape& tape = x.tape();
  return layer.activation.is(tanh) && layer.recurrent_activation.is(sigmoid) &&
         (layer.recurrent_dropout == 0 || !tape.training()) && (tape.recording() == nullptr || !x.is_masked());
}

/// Runs a recurrent layer with smaller ops, if the fused ops do not support it: h = next(inputs_t, h) for each step of
/// `inputs` (batch, steps, width), with inputs_t (batch, width) and h (batch, units). An empty h starts from zeros.
/// next also gets the mask of the step, see next_state. Returns the same shapes as the fused ops.
template <class Next>
Var each_step(Var inputs, Index units, const RecurrentOptions& options, Next next, Var h = {}) {
  Tape& tape = inputs.tape();
  const Index batch = inputs.shape()[0], steps = inputs.shape()[1];
  if (!h && steps == 1) {  // otherwise the recurrent kernel would have no gradient, instead of one of zeros
    const View zeros = tape.scratch({batch, units});
    std::fill(zeros.begin(), zeros.end(), Real{0});
    h = tape.input(zeros);
  }
  const Var mask = inputs.mask();
  inputs = with_mask(inputs, {});
  auto* const states = static_cast<Var*>(tape.allocate(static_cast<std::size_t>(steps) * sizeof(Var)));
  for (Index turn = 0; turn < steps; ++turn) {
    const Index step = options.go_backwards ? steps - 1 - turn : turn;
    const Var counts = mask ? slice_axis(mask, 1, step, step + 1) : Var();
    h = next(reshape(slice_axis(inputs, 1, step, step + 1), {batch, inputs.shape()[2]}), h, counts);
    new (states + turn) Var(reshape(h, {batch, 1, units}));
  }
  if (!options.return_sequences) return h;
  const Var y = concatenate(std::span<const Var>(states, static_cast<std::size_t>(steps)), 1);
  if (mask) y.set_mask(options.go_backwards ? flip(mask, 1) : mask);
  return y;
}

/// composed(name, operands) with the operands of a recurrent layer: x, its parameters, and the mask of x if there is
/// one.
template <class L, class F>
Var composed_of(const char* name, const L& layer, Var x, F composed) {
  if (!x.is_masked()) {
    return layer.use_bias ? composed(name, {x, layer.kernel, layer.recurrent_kernel, layer.bias})
                          : composed(name, {x, layer.kernel, layer.recurrent_kernel});
  }
  const std::string masked = std::string("masked_") + name;
  const Var mask = x.mask();
  return layer.use_bias ? composed(masked.c_str(), {x, layer.kernel, layer.recurrent_kernel, layer.bias, mask})
                        : composed(masked.c_str(), {x, layer.kernel, layer.recurrent_kernel, mask});
}

/// Calls `formula`, which runs an LSTM or GRU with smaller ops. In a trace it is one op of this name, if both
/// activations have names; with masked steps "masked_" comes before the name, and the mask is the last operand.
/// reset_after: of a GRU.
template <class L, std::invocable F>
Var as_one_op(const char* name, const L& layer, Var x, bool reset_after, F formula) {
  if (x.tape().recording() == nullptr) return formula();
  const std::string activation = activation_registry().find_name(layer.activation.function()),
                    recurrent = activation_registry().find_name(layer.recurrent_activation.function());
  if (activation.empty() || recurrent.empty()) return formula();
  return composed_of(name, layer, x, [&](const char* op, std::initializer_list<Operand> operands) {
    return composite(x.tape(),
                     {op,
                      {{"activation", activation.c_str()},
                       {"recurrent_activation", recurrent.c_str()},
                       {"return_sequences", layer.return_sequences},
                       {"go_backwards", layer.go_backwards},
                       {"reset_after", reset_after}}},
                     operands, formula);
  });
}

}  // namespace cornu::detail
