#pragma once

#include <functional>
#include <span>
#include <string>

#include "cornu/core/gradcheck.h"

/// What check_gradients and check_layer have in common. Not for others.
namespace cornu::detail {

/// What is checked, on a tape of the check's choosing.
using Forward = std::function<Var(Tape&)>;

/// Something that a function is differentiated by, wherever the function reads it.
struct Source {
  std::string name;
  Parameter* parameter;
  bool must_be_read;
};

/// Checks the gradient of f by each source, all of them trainable.
void check_sources(CheckReport& report, const Forward& f, std::span<const Source> sources,
                   const GradientCheckOptions& options);

/// A function whose parameters an optimizer is to change.
struct Stepped {
  Forward f;
  NamedParameters parameters;
};

/// Checks that a step of `minimize`, by SGD and by a rule with state, leaves the parameters that the rule computes from
/// the gradients of a plain walk backward, and gives the others their recorded values. One line a rule, on the worst of
/// the functions. Defined in optim/step_check.cpp, because core includes nothing of optim.
void check_steps(CheckReport& report, std::span<const Stepped> functions, const GradientCheckOptions& options);

/// How far apart equal computations in another order may be.
inline constexpr Real rounding_allowed = std::is_same_v<Real, double> ? Real(1e-12) : Real(1e-5);

}  // namespace cornu::detail
