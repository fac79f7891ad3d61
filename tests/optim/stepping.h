#pragma once

#include "cornu/core/ops/ops.h"
#include "cornu/optim/optimizer.h"

namespace cornu::testing {

/// A parameter, and optimizer steps with gradients that the test chooses.
inline Parameter parameter(std::initializer_list<Real> values) { return {Tensor::vector(values)}; }

/// One step in which p has the gradient g: the gradient of sum(p * g).
inline void step(Optimizer& optimizer, const Parameter& p, const Tensor& gradient) {
  Tape tape;
  optimizer.step(tape.backward(sum(tape.parameter(p) * tape.input(gradient))));
}

/// The same for two parameters.
inline void step(Optimizer& optimizer, const Parameter& p, const Tensor& gp, const Parameter& q, const Tensor& gq) {
  Tape tape;
  optimizer.step(tape.backward(sum(tape.parameter(p) * tape.input(gp)) + sum(tape.parameter(q) * tape.input(gq))));
}

}  // namespace cornu::testing
