#pragma once

#include "cornu/core/ops/sequences.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"

/// Shared by the implementations of LSTM and GRU.
namespace cornu::detail {

/// Throw the errors that LSTM and GRU document.
void require_recurrent_options(const char* who, Index units, const Initializer& kernel, const Initializer& recurrent,
                               const Initializer& bias, const Shape& input);
void require_recurrent_input(const char* who, const Parameter& kernel, Var x);

/// True for tanh and sigmoid, which the fused ops of core require.
bool are_usual(const Activation& activation, const Activation& recurrent_activation);

/// A recurrent layer built from smaller ops, for what the fused ops cannot do: h = next(inputs_t, h) for each step of
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

}  // namespace cornu::detail
