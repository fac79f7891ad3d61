#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck_sources.h"
#include "cornu/core/ops/ops.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/sgd.h"

namespace cornu::detail {

namespace {

std::vector<Tensor> values_of(const NamedParameters& parameters) {
  std::vector<Tensor> result;
  for (const NamedParameter& named : parameters) result.push_back(named.parameter->value);
  return result;
}

/// A sum of the outputs of f with random weights, so that their gradients differ.
Var loss_of(Tape& tape, const Forward& f, std::uint64_t seed) {
  tape.clear();
  tape.rng() = Rng(seed);
  const Var y = f(tape);
  const View weights = tape.scratch(y.shape());
  Rng(seed).fill_uniform(weights, Real(0.5), Real(1.5));
  return sum(y * tape.input(weights));
}

/// The expected values: the rule applied to the gradients of a plain backward pass, then recorded updates, then
/// constraints.
std::vector<Tensor> expected_after(const AnyOptimizer& rule, Tape& tape, const Stepped& function, std::uint64_t seed) {
  std::vector<Tensor> result = values_of(function.parameters);
  const Gradients gradients = tape.backward(loss_of(tape, function.f, seed));
  for (std::size_t p = 0; p < result.size(); ++p) {
    const Parameter& parameter = *function.parameters[p].parameter;
    bool has_gradient = false;
    for (const Gradients::Entry& entry : gradients.entries()) {
      if (entry.parameter != &parameter) continue;
      has_gradient = true;
      std::vector<Tensor> slots(static_cast<std::size_t>(rule.slot_count()), Tensor(result[p].shape()));
      const std::vector<View> views(slots.begin(), slots.end());
      rule.begin(views);
      rule.update(result[p], entry.gradient, views, {.iteration = 0, .learning_rate = rule.learning_rate().at(0)});
    }
    for (const Gradients::Update& update : gradients.updates()) {
      if (update.parameter == &parameter) result[p] = Tensor(update.value);
    }
    if (has_gradient && parameter.constraint) parameter.constraint(result[p]);
  }
  return result;
}

void check_steps_by(CheckReport& report, const char* name, const AnyOptimizer& rule, std::span<const Stepped> functions,
                    std::uint64_t seed) {
  Real worst = 0;
  std::string where;
  Tape tape(Mode::training);
  for (const Stepped& function : functions) {
    NamedParameters parameters = function.parameters;
    std::erase_if(parameters, [](const NamedParameter& named) { return named.parameter->value.empty(); });
    if (parameters.empty()) continue;
    const std::vector<Tensor> before = values_of(parameters);
    const std::vector<Tensor> expected = expected_after(rule, tape, {function.f, parameters}, seed);
    try {
      Optimizer(rule, parameters).minimize(loss_of(tape, function.f, seed));
    } catch (const StateError& error) {
      report.add(false, message("a step of minimize with {}: {}", name, error.what()));
      return;
    }
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      Tensor& got = parameters[p].parameter->value;
      for (Index i = 0; i < got.size(); ++i) {
        const Real wanted = expected[p][i];
        if (got[i] == wanted || (std::isnan(got[i]) && std::isnan(wanted))) continue;
        const Real error = std::abs(got[i] - wanted) / std::max({Real{1}, std::abs(got[i]), std::abs(wanted)});
        if (error <= worst || std::isnan(worst)) continue;
        worst = error;
        where = message("; {} {}: element {} was {:.10g} and is {:.10g}, expected {:.10g}", parameters[p].name,
                        got.shape(), i, before[p][i], got[i], wanted);
      }
      got = before[p];
    }
  }
  const bool passed = worst <= rounding_allowed;
  report.add(passed, message("a step of minimize with {}: relative error {:.2g}, at most {:.2g} allowed{}", name, worst,
                             rounding_allowed, passed ? "" : where));
}

}  // namespace

void check_steps(CheckReport& report, std::span<const Stepped> functions, const GradientCheckOptions& options) {
  check_steps_by(report, "SGD", SGD{.learning_rate = 0.1}, functions, options.seed);
  // With the usual epsilon, Adam's first step depends on little more than the sign of the gradient.
  check_steps_by(report, "Adam", Adam{.learning_rate = 0.1, .epsilon = 1}, functions, options.seed);
}

}  // namespace cornu::detail
