#include "cornu/core/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "cornu/core/error.h"
#include "cornu/core/ops.h"

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

/// Evaluates f with every tensor of `values` as a variable.
Var evaluate(Tape& tape, const DifferentiableFunction& f, std::span<const Tensor> values, std::uint64_t seed,
             std::vector<Var>& variables) {
  tape.clear();
  tape.rng() = Rng(seed);
  variables.clear();
  for (const Tensor& value : values) variables.push_back(tape.variable(value));
  return f(variables);
}

/// The Jacobians of y with respect to each variable, (outputs, inputs), by going backward from each output.
std::vector<Tensor> analytic_jacobians(Tape& tape, Var y, std::span<const Var> variables) {
  std::vector<Tensor> result;
  for (const Var variable : variables) result.emplace_back(Shape{y.size(), variable.size()});
  Tensor one_output(y.shape());
  for (Index row = 0; row < y.size(); ++row) {
    one_output.fill(0);
    one_output[row] = 1;
    if (!y.wants_gradient()) break;
    const Gradients gradients = tape.backward(y, one_output);
    for (std::size_t k = 0; k < variables.size(); ++k) {
      if (!variables[k].has_gradient()) continue;  // zeros
      const View gradient = gradients[variables[k]];
      std::copy(gradient.begin(), gradient.end(), result[k].data() + row * gradient.size());
    }
  }
  return result;
}

/// The Jacobian with respect to input k by central differences.
Tensor numeric_jacobian(const DifferentiableFunction& f, std::vector<Tensor>& inputs, std::size_t k, Index outputs,
                        const GradientCheckOptions& options) {
  Tape tape(Mode::training);
  std::vector<Var> variables;
  Tensor& x = inputs[k];
  Tensor result(Shape{outputs, x.size()});
  for (Index column = 0; column < x.size(); ++column) {
    const Real old = x[column], step = options.step * std::max(Real{1}, std::abs(old));
    x[column] = old + step;
    const Real above = x[column];  // what the sum was rounded to
    const Tensor y_above(evaluate(tape, f, inputs, options.seed, variables).value());
    x[column] = old - step;
    const Real below = x[column];
    const Tensor y_below(evaluate(tape, f, inputs, options.seed, variables).value());
    x[column] = old;
    for (Index row = 0; row < outputs; ++row) {
      result[row * x.size() + column] = (y_above[row] - y_below[row]) / (above - below);
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
    if (!(error <= worst.error)) worst = {error, i};  // a NaN is the worst of all
    if (std::isnan(error)) break;
  }
  return worst;
}

/// Adds one line on how far two Jacobians are apart.
void compare(CheckReport& report, const std::string& what, const Tensor& got, const Tensor& expected, Real tolerance) {
  const Difference worst = largest_difference(got, expected);
  if (worst.error <= tolerance) {
    report.add(true, message("{}: relative error {:.2g}, at most {:.2g} allowed", what, worst.error, tolerance));
    return;
  }
  const Index columns = got.shape()[1];
  report.add(false, message("{}: relative error {:.2g} for output {} by element {}: the gradient is {:.10g}, expected "
                            "{:.10g} (at most {:.2g} allowed)",
                            what, worst.error, worst.at / columns, worst.at % columns, got[worst.at],
                            expected[worst.at], tolerance));
}

void check_named_gradients(CheckReport& report, const DifferentiableFunction& f, std::vector<Tensor> inputs,
                           std::span<const std::string> names, const GradientCheckOptions& options) {
  Tape tape(Mode::training);
  std::vector<Var> variables;
  const Var y = evaluate(tape, f, inputs, options.seed, variables);
  const Index outputs = y.size();
  const std::vector<Tensor> jacobians = analytic_jacobians(tape, y, variables);

  const auto twice = [&](std::span<const Var> x) {
    const Var first = f(x);
    x[0].tape().rng() = Rng(options.seed);
    return first + f(x);
  };
  Var doubled = evaluate(tape, twice, inputs, options.seed, variables);
  const std::vector<Tensor> doubled_jacobians = analytic_jacobians(tape, doubled, variables);

  const Real rounding = std::is_same_v<Real, double> ? Real(1e-12) : Real(1e-5);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    compare(report, names[k], jacobians[k], numeric_jacobian(f, inputs, k, outputs, options), options.tolerance);

    Tensor halved = doubled_jacobians[k];
    for (Real& value : halved) value /= 2;
    compare(report, names[k] + ", used twice", halved, jacobians[k], rounding);

    if (inputs.size() == 1) continue;
    tape.clear();
    tape.rng() = Rng(options.seed);
    std::vector<Var> alone;
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      alone.push_back(j == k ? tape.variable(inputs[j]) : tape.input(inputs[j]));
    }
    const Var y_alone = f(alone);
    compare(report, names[k] + ", wanted alone", analytic_jacobians(tape, y_alone, std::span(&alone[k], 1))[0],
            jacobians[k], rounding);
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::equal(reinterpret_cast<const std::byte*>(a.begin()), reinterpret_cast<const std::byte*>(a.end()),
                    reinterpret_cast<const std::byte*>(b.begin()));
}

}  // namespace

CheckReport check_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                            const GradientCheckOptions& options) {
  require<ValueError>(!inputs.empty(), "check_gradients: there is no input to differentiate by");
  std::vector<std::string> names;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    names.push_back(message("gradient of input {} {}", k, inputs[k].shape()));
  }
  CheckReport report;
  check_named_gradients(report, f, inputs, names, options);
  return report;
}

namespace detail {

namespace {

Tensor run(const LayerUnderCheck& layer, const Tensor& x, Mode mode, std::uint64_t seed) {
  Tape tape(mode, seed);
  return Tensor(layer.forward(tape.input(x)).value());
}

/// Puts the values of x[1], x[2], ... in the place of the layer's parameters: differentiating by a parameter is
/// differentiating by a variable that the layer reads instead.
void check_layer_gradients(CheckReport& report, LayerUnderCheck& layer, const Tensor& x,
                           const GradientCheckOptions& options) {
  // The input, by the ordinary check.
  const std::string input_name = message("gradient of the input {}", x.shape());
  check_named_gradients(
      report, [&](std::span<const Var> inputs) { return layer.forward(inputs[0]); }, {x}, {&input_name, 1}, options);

  // Each parameter: its gradient from the tape, against differences made by changing it in place.
  Tape tape(Mode::training, options.seed);
  const Tensor y(layer.forward(tape.input(x)).value());
  for (const auto& [name, parameter] : layer.parameters()) {
    if (!parameter->trainable) continue;
    Tensor analytic(Shape{y.size(), parameter->value.size()}), numeric = analytic, one_output(y.shape());
    tape.clear();
    tape.rng() = Rng(options.seed);
    const Var out = layer.forward(tape.input(x));
    bool reached = false;
    for (Index row = 0; row < y.size() && out.wants_gradient(); ++row) {
      one_output.fill(0);
      one_output[row] = 1;
      for (const Gradients::Entry& entry : tape.backward(out, one_output).entries()) {
        if (entry.parameter != parameter) continue;
        reached = true;
        std::copy(entry.gradient.begin(), entry.gradient.end(), analytic.data() + row * entry.gradient.size());
      }
    }
    const std::string what = message("gradient of {} {}", name, parameter->shape());
    if (!reached && y.size() > 0) {
      report.add(false, what + ": forward does not read this parameter");
      continue;
    }
    const auto evaluate_at = [&](Real& place, Real value) {
      place = value;
      return run(layer, x, Mode::training, options.seed);
    };
    for (Index column = 0; column < parameter->value.size(); ++column) {
      Real& place = parameter->value[column];
      const Real old = place, step = options.step * std::max(Real{1}, std::abs(old));
      const Real high = old + step, low = old - step;
      const Tensor above = evaluate_at(place, high), below = evaluate_at(place, low);
      place = old;
      for (Index row = 0; row < y.size(); ++row) {
        numeric[row * parameter->value.size() + column] = (above[row] - below[row]) / (high - low);
      }
    }
    compare(report, what, analytic, numeric, options.tolerance);
  }
}

void check_copy(CheckReport& report, LayerUnderCheck& layer, const Tensor& x, const Tensor& expected) {
  const std::unique_ptr<LayerUnderCheck> copy = layer.clone();
  bool independent = true;
  for (const auto& [name, parameter] : copy->parameters()) {
    for (const auto& [other_name, original] : layer.parameters()) independent = independent && parameter != original;
    parameter->value.fill(Real(0.123));
  }
  independent = independent && same_bits(run(layer, x, Mode::inference, 1), expected);
  report.add(independent, independent ? "a copy is independent of the original"
                                      : "a copy is independent of the original: changing its parameters changed both");
}

void check_threads(CheckReport& report, const LayerUnderCheck& layer, const Tensor& x, const Tensor& expected,
                   int threads) {
  std::vector<char> agrees(static_cast<std::size_t>(threads), 0);
  {
    std::vector<std::jthread> pool;
    for (char& mine : agrees) {
      pool.emplace_back([&layer, &x, &expected, &mine] {
        try {
          mine = same_bits(run(layer, x, Mode::inference, 1), expected) ? 1 : 0;
        } catch (const std::exception&) {
          mine = 0;  // it disagrees, which is what the report says
        }
      });
    }
  }
  const auto agreeing = std::count(agrees.begin(), agrees.end(), 1);
  report.add(agreeing == threads,
             message("predictions of {} of {} threads have the bits of a single one", agreeing, threads));
}

}  // namespace

CheckReport check_layer(const LayerUnderCheck& original, const Shape& input, const LayerCheckOptions& options) {
  CheckReport report;
  const std::unique_ptr<LayerUnderCheck> layer = original.clone();
  Rng rng(options.gradients.seed);
  Shape promised;
  const bool has_build = layer->build(input, rng, promised);

  const Shape batched = input.batched(options.batch);
  Tensor x = options.input;
  if (x.empty()) {
    x = Tensor(batched);
    rng.fill_normal(x, 0, 1);
  }
  require(x.shape() == batched, "check_layer: the sample to check at is {}, expected {}", x.shape(), batched);

  const Tensor y = run(*layer, x, Mode::inference, 1);
  if (has_build) {
    const Shape expected = promised.batched(options.batch);
    report.add(y.shape() == expected, message("build says {}, forward returns {}", expected, y.shape()));
  }
  check_layer_gradients(report, *layer, x, options.gradients);
  check_copy(report, *layer, x, y);
  const bool repeats = same_bits(run(*layer, x, Mode::training, 7), run(*layer, x, Mode::training, 7)) &&
                       same_bits(run(*layer, x, Mode::inference, 7), y);
  report.add(repeats, "two runs with one seed have the same bits");
  check_threads(report, *layer, x, y, options.threads);
  return report;
}

}  // namespace detail

}  // namespace cornu
