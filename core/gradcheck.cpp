#include "cornu/core/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck_sources.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

bool CheckReport::passed() const {
  return std::all_of(lines.begin(), lines.end(), [](const Line& line) { return line.passed; });
}

std::string to_string(const CheckReport& report) {
  std::string text;
  for (const CheckReport::Line& line : report.lines) text += (line.passed ? "ok      " : "FAILED  ") + line.text + "\n";
  return text;
}

namespace {

using detail::Forward;
using detail::Source;

struct Jacobian {
  Tensor numbers;        // (outputs, elements of the source)
  bool reached = false;  // a backward pass reached the source
};

Var evaluate(Tape& tape, const Forward& f, std::uint64_t seed) {
  tape.clear();
  tape.rng() = Rng(seed);
  return f(tape);
}

/// One backward pass per output. Zero where there is no gradient.
std::vector<Jacobian> analytic_jacobians(const Forward& f, std::span<const Source> sources, std::uint64_t seed) {
  Tape tape(Mode::training);
  const Var y = evaluate(tape, f, seed);
  std::vector<Jacobian> result;
  for (const Source& source : sources) result.push_back({Tensor(Shape{y.size(), source.parameter->value.size()})});
  Tensor one_output(y.shape());
  for (Index row = 0; row < y.size(); ++row) {
    one_output.fill(0);
    one_output[row] = 1;
    for (const Gradients::Entry& entry : tape.backward(y, one_output).entries()) {
      for (std::size_t k = 0; k < sources.size(); ++k) {
        if (sources[k].parameter != entry.parameter) continue;
        result[k].reached = true;
        std::copy(entry.gradient.begin(), entry.gradient.end(), result[k].numbers.data() + row * entry.gradient.size());
      }
    }
  }
  return result;
}

/// Central differences.
Tensor numeric_jacobian(const Forward& f, Tensor& x, Index outputs, const GradientCheckOptions& options) {
  Tape tape(Mode::training);
  Tensor result(Shape{outputs, x.size()});
  for (Index column = 0; column < x.size(); ++column) {
    const Real old = x[column], step = options.step * std::max(Real{1}, std::abs(old));
    const Real high = old + step, low = old - step;  // the quotient uses the rounded values
    x[column] = high;
    const Tensor above(evaluate(tape, f, options.seed).value());
    x[column] = low;
    const Tensor below(evaluate(tape, f, options.seed).value());
    x[column] = old;
    for (Index row = 0; row < outputs; ++row) {
      result[row * x.size() + column] = (above[row] - below[row]) / (high - low);
    }
  }
  return result;
}

struct Difference {
  Real error = 0;
  Index at = -1;
};

Difference largest_difference(const Tensor& a, const Tensor& b) {
  Difference worst;
  for (Index i = 0; i < a.size(); ++i) {
    const Real error = std::abs(a[i] - b[i]) / std::max({Real{1}, std::abs(a[i]), std::abs(b[i])});
    if (!(error <= worst.error)) worst = {error, i};  // true for NaN, the worst error
    if (std::isnan(error)) break;
  }
  return worst;
}

/// Adds a line with the largest difference between two Jacobians.
void compare(CheckReport& report, const std::string& what, const Tensor& got, const Tensor& expected, Real tolerance) {
  const Difference worst = largest_difference(got, expected);
  if (worst.error <= tolerance) {
    report.add(true, message("{}: relative error {:.2g}, at most {:.2g} allowed", what, worst.error, tolerance));
    return;
  }
  const Index columns = got.shape()[1];
  report.add(
      false,
      message("{}: relative error {:.2g} for output {} with respect to element {}: the gradient is {:.10g}, "
              "expected {:.10g} (at most {:.2g} allowed)",
              what, worst.error, worst.at / columns, worst.at % columns, got[worst.at], expected[worst.at], tolerance));
}

}  // namespace

void detail::check_sources(CheckReport& report, const Forward& f, std::span<const Source> sources,
                           const GradientCheckOptions& options) {
  const std::vector<Jacobian> jacobians = analytic_jacobians(f, sources, options.seed);
  const auto twice = [&](Tape& tape) {
    const Var first = f(tape);
    tape.rng() = Rng(options.seed);
    return first + f(tape);
  };
  const std::vector<Jacobian> doubled = analytic_jacobians(twice, sources, options.seed);

  for (std::size_t k = 0; k < sources.size(); ++k) {
    const auto& [name, parameter, must_be_read] = sources[k];
    const Tensor& numbers = jacobians[k].numbers;
    const Index outputs = numbers.shape()[0];
    if (must_be_read && !jacobians[k].reached && outputs > 0) {
      report.add(false, name + ": forward does not read this parameter");
      continue;
    }
    compare(report, name, numbers, numeric_jacobian(f, parameter->value, outputs, options), options.tolerance);

    Tensor halved = doubled[k].numbers;
    for (Real& number : halved) number /= 2;
    compare(report, name + ", used twice", halved, numbers, rounding_allowed);

    if (sources.size() == 1) continue;
    for (const Source& source : sources) source.parameter->trainable = source.parameter == parameter;
    compare(report, name + ", computed alone", analytic_jacobians(f, {&sources[k], 1}, options.seed)[0].numbers,
            numbers, rounding_allowed);
    for (const Source& source : sources) source.parameter->trainable = true;
  }
}

CheckReport check_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                            const GradientCheckOptions& options) {
  require<ValueError>(!inputs.empty(), "check_gradients: no inputs were given; at least one is required");
  std::vector<Parameter> parameters;
  for (const Tensor& input : inputs) parameters.push_back({input});
  std::vector<Source> sources;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    sources.push_back({message("gradient of input {} {}", k, inputs[k].shape()), &parameters[k], false});
  }
  const auto on_tape = [&](Tape& tape) {
    std::vector<Var> variables;
    for (const Parameter& parameter : parameters) variables.push_back(tape.parameter(parameter));
    return f(variables);
  };
  CheckReport report;
  detail::check_sources(report, on_tape, sources, options);

  std::vector<detail::Stepped> functions{{on_tape, {}}};
  for (std::size_t k = 0; k < sources.size(); ++k) {
    functions[0].parameters.push_back({message("input {}", k), &parameters[k]});
    const auto alone = [&, k](Tape& tape) {
      std::vector<Var> variables;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        variables.push_back(i == k ? tape.parameter(parameters[i]) : tape.input(inputs[i]));
      }
      return f(variables);
    };
    functions.push_back({alone, {functions[0].parameters.back()}});
  }
  detail::check_steps(report, functions, options);
  return report;
}

}  // namespace cornu
