#include "cornu/layers/rnn/recurrent.h"

#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/dropout_mask.h"

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

void require_state(const char* who, Var state, Index batch, Index units) {
  require(!state || state.shape() == Shape{batch, units}, "{}: an initial state of shape {}; {} is required", who,
          state ? state.shape() : Shape(), Shape{batch, units});
}

void require_only_h(const char* who, const RecurrentState& state, Index batch, Index units) {
  require<ValueError>(!state.c, "{}: the initial state has a c, which only an LSTM has", who);
  require_state(who, state.h, batch, units);
}

void require_dropouts(const char* who, double dropout, double recurrent_dropout) {
  for (const auto& [name, rate] : {std::pair("dropout", dropout), std::pair("recurrent_dropout", recurrent_dropout)}) {
    require<ValueError>(rate >= 0 && rate < 1, "{}: {} is {}; at least 0 and less than 1 is required", who, name, rate);
  }
}

namespace {

/// Empty in inference and at rate 0.
Var dropout_mask(Tape& tape, const Shape& shape, double rate) {
  if (!tape.training() || rate == 0) return {};
  const View mask = tape.scratch(shape);
  fill_dropout_mask(mask, rate, tape.rng());
  return tape.input(mask);
}

}  // namespace

Var drop_features(Var x, double rate) {
  return masked(x, dropout_mask(x.tape(), {x.shape()[0], 1, x.shape()[2]}, rate));
}

Var dropout_mask_of_state(Var x, Index units, double rate) {
  return dropout_mask(x.tape(), {x.shape()[0], units}, rate);
}

}  // namespace cornu::detail
