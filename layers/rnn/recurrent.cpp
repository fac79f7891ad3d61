#include "cornu/layers/rnn/recurrent.h"

#include "cornu/core/error.h"

namespace cornu::detail {

void require_recurrent_options(const char* who, Index units, const Initializer& kernel, const Initializer& recurrent,
                               const Initializer& bias, const Shape& input) {
  require<ValueError>(units > 0, "{}: units is {}; it must be positive", who, units);
  require<ValueError>(kernel && recurrent && bias, "{}: the {} is empty; use zeros if in doubt", who,
                      !kernel      ? "kernel_initializer"
                      : !recurrent ? "recurrent_initializer"
                                   : "bias_initializer");
  require(input.rank() == 2 && input[0] > 0 && input[1] > 0,
          "{}: a sample of shape {}; (steps, features) is required (is a Reshape missing?)", who, input);
}

void require_recurrent_input(const char* who, const Parameter& kernel, Var x) {
  require<StateError>(!kernel.value.empty(),
                      "{}: used before it was built; call build(shape of a sample, rng), or put it into a model", who);
  require(x.rank() == 3 && x.shape()[1] > 0 && x.shape()[2] == kernel.shape()[0],
          "{}: an input of shape {}; (batch, steps, {}) is required", who, x.shape(), kernel.shape()[0]);
}

bool are_usual(const Activation& activation, const Activation& recurrent_activation) {
  return activation.is(tanh) && recurrent_activation.is(sigmoid);
}

}  // namespace cornu::detail
