#include "cornu/layers/rnn/recurrent.h"

#include "cornu/core/error.h"

namespace cornu::detail {

void require_recurrent_sample(const char* who, const Shape& sample) {
  require(sample.rank() == 2 && sample[0] > 0 && sample[1] > 0,
          "{}: a sample of shape {}; (steps, features) is required (is a Reshape missing?)", who, sample);
}

void require_recurrent_input(const char* who, const Parameter& kernel, Var x) {
  require_built(who, !kernel.value.empty());
  require(x.rank() == 3 && x.shape()[1] > 0 && x.shape()[2] == kernel.shape()[0],
          "{}: an input of shape {}; (batch, steps, {}) is required", who, x.shape(), kernel.shape()[0]);
}

bool are_usual(const Activation& activation, const Activation& recurrent_activation) {
  return activation.is(tanh) && recurrent_activation.is(sigmoid);
}

}  // namespace cornu::detail
