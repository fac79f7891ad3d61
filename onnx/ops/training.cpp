#include <cmath>

#include "cornu/core/error.h"
#include "cornu/onnx/ops/ops.h"

/// Optimizer steps as ops. Inputs: the learning rate, the number of steps done, all tensors, all their gradients, and
/// one or two states of each tensor. Outputs: the updated tensors, then the updated states.
namespace cornu::onnx::detail {

namespace {

struct Step {
  Call& call;
  std::size_t tensors;
  double rate, done;

  Step(Call& c, std::size_t states)
      : call(c), tensors((c.input_count() - 2) / (2 + states)), rate(c.number(0)), done(c.number(1)) {
    require<FormatError>(tensors * (2 + states) + 2 == c.input_count(),
                         "{} tensors, gradients and states, expected a multiple of {}", c.input_count() - 2,
                         2 + states);
  }
  /// Input `group` of tensor i. Groups: 0 is the tensor, 1 its gradient, then its states. Outputs skip the gradients.
  Var input(std::size_t group, std::size_t i) const { return call[2 + group * tensors + i]; }
  void output(std::size_t group, std::size_t i, Var y) const { call.result(group * tensors + i, y); }
  /// The gradient, plus that of norm_coefficient / 2 * ||x||^2.
  Var gradient(std::size_t i) const { return call.real("norm_coefficient", 0) * input(0, i) + input(1, i); }
};

void adagrad(Call& call) {
  const Step step(call, 1);
  const double rate = step.rate / (1 + step.done * call.real("decay_factor", 0)), epsilon = call.real("epsilon", 1e-6);
  for (std::size_t i = 0; i < step.tensors; ++i) {
    const Var g = step.gradient(i), h = step.input(2, i) + square(g);
    step.output(0, i, step.input(0, i) - rate * g / (sqrt(h) + epsilon));
    step.output(1, i, h);
  }
}

/// Epsilon-hat Adam, as in optim; `alpha` and `beta` are beta_1 and beta_2. Bias correction is skipped in the first
/// step, where the number of steps done is 0.
void adam(Call& call) {
  const Step step(call, 2);
  const double alpha = call.real("alpha", 0.9), beta = call.real("beta", 0.999), epsilon = call.real("epsilon", 1e-6);
  const double correction = std::sqrt(1 - std::pow(beta, step.done)) / (1 - std::pow(alpha, step.done));
  const double rate = step.done > 0 ? step.rate * correction : step.rate;
  for (std::size_t i = 0; i < step.tensors; ++i) {
    const Var g = step.gradient(i);
    const Var v = alpha * step.input(2, i) + (1 - alpha) * g, h = beta * step.input(3, i) + (1 - beta) * square(g);
    const Var x = step.input(0, i) - rate * v / (sqrt(h) + epsilon);
    step.output(0, i, (1 - call.real("norm_coefficient_post", 0)) * x);
    step.output(1, i, v);
    step.output(2, i, h);
  }
}

void momentum(Call& call) {
  const Step step(call, 1);
  const double alpha = call.attribute("alpha", AttributeType::real).real;
  const double beta = step.done > 0 ? call.attribute("beta", AttributeType::real).real : 1;
  const std::string_view mode = call.text("mode", "standard");
  require<FormatError>(mode == "standard" || mode == "nesterov", "mode is '{}'; standard and nesterov are known", mode);
  for (std::size_t i = 0; i < step.tensors; ++i) {
    const Var g = step.gradient(i), v = alpha * step.input(2, i) + beta * g;
    step.output(0, i, step.input(0, i) - step.rate * (mode == "nesterov" ? g + alpha * v : v));
    step.output(1, i, v);
  }
}

}  // namespace

std::span<const Op> training_ops() {
  static constexpr Op ops[] = {
      {.name = "Adagrad",
       .inputs = {3, many},
       .outputs = many,
       .attributes = "decay_factor epsilon norm_coefficient ",
       .run = adagrad},
      {.name = "Adam",
       .inputs = {3, many},
       .outputs = many,
       .attributes = "alpha beta epsilon norm_coefficient norm_coefficient_post ",
       .run = adam},
      {.name = "Momentum",
       .inputs = {3, many},
       .outputs = many,
       .attributes = "alpha beta mode norm_coefficient ",
       .run = momentum},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
