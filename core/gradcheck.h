#pragma once

#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/tensor.h"

/// Checks gradients against finite differences. Link the program with cornu::cornu_double: in double precision the same
/// code is checked to 1e-7. For layers see layers/check_layer.h.
namespace cornu {

/// Result of a check, one line per comparison. Converts to true if all of them passed.
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

/// One line per comparison, prefixed with "ok" or "FAILED".
std::string to_string(const CheckReport& report);

struct GradientCheckOptions {
  /// Largest |analytic - numeric| / max(1, |analytic|, |numeric|): 1e-7 in double, 1e-2 in float.
  Real tolerance = std::is_same_v<Real, double> ? Real(1e-7) : Real(1e-2);
  /// Step of the difference quotient, relative to max(1, |x|). A central difference is most accurate near the cube root
  /// of the machine epsilon.
  Real step = std::is_same_v<Real, double> ? Real(6e-6) : Real(5e-3);
  /// Seed of random ops, the same for every evaluation.
  std::uint64_t seed = 1;
};

/// A differentiable function of one or more values on one tape.
using DifferentiableFunction = std::function<Var(std::span<const Var>)>;

/// Compares the whole Jacobian of f at the given inputs (every output with respect to every input element) with central
/// differences. Also checks that
/// - the gradients of an input that is used twice are summed,
/// - each gradient is the same when no other gradient is computed,
/// - a step of Optimizer::minimize with SGD and with Adam applies the optimizer's rule to these gradients.
/// f must be smooth around the inputs: keep them away from kinks, such as relu's at 0. Throws ValueError for no inputs.
CheckReport check_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                            const GradientCheckOptions& options = {});

}  // namespace cornu
