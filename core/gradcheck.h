#pragma once

#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "cornu/core/tape.h"
#include "cornu/core/tensor.h"

/// Checks gradients against finite differences. Use a program that links cornu::cornu_double: the same code in double
/// precision, in which a wrong gradient shows at 1e-7. For layers see layers/check_layer.h.
namespace cornu {

/// What a check found: a line for each thing that was looked at. True if all of it held.
struct CheckReport {
  struct Line {
    bool passed = true;
    std::string text;
  };
  std::vector<Line> lines;

  bool passed() const;
  explicit operator bool() const { return passed(); }
  void add(bool passed, std::string text) { lines.push_back({passed, std::move(text)}); }
};

/// One line a check, "ok" or "FAILED" before it.
std::string to_string(const CheckReport& report);

struct GradientCheckOptions {
  /// Largest |analytic - numeric| / max(1, |analytic|, |numeric|): 1e-7 in double, 1e-2 in float.
  Real tolerance = std::is_same_v<Real, double> ? Real(1e-7) : Real(1e-2);
  /// Step of the difference quotient, relative to max(1, |x|). The error of a central difference is least near the cube
  /// root of the machine's precision.
  Real step = std::is_same_v<Real, double> ? Real(6e-6) : Real(5e-3);
  /// What a random op draws from; it is given anew for every evaluation.
  std::uint64_t seed = 1;
};

/// A differentiable function of several values, all on one tape.
using DifferentiableFunction = std::function<Var(std::span<const Var>)>;

/// Compares the whole Jacobian of f at the given inputs, each output by each input, with central differences. Also
/// checks that gradients add up where an input is used twice, that each comes out the same when it is the only one
/// wanted, and that a step of Optimizer::minimize on the inputs, by SGD and by Adam, is the rule's for these gradients.
/// f must be smooth around the inputs: keep them off kinks such as relu's at 0.
CheckReport check_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                            const GradientCheckOptions& options = {});

}  // namespace cornu
