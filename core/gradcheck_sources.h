#pragma once

#include <functional>
#include <span>
#include <string>

#include "cornu/core/gradcheck.h"

/// Shared by check_gradients and check_layer. Internal.
namespace cornu::detail {

/// The function to check, evaluated on the given tape.
using Forward = std::function<Var(Tape&)>;

/// A parameter to differentiate with respect to.
struct Source {
  std::string name;
  Parameter* parameter;
  bool must_be_read;  // fail if the function does not read it
};

/// Checks the gradient of f with respect to each source. All sources must be trainable.
void check_sources(CheckReport& report, const Forward& f, std::span<const Source> sources,
                   const GradientCheckOptions& options);

/// A function, and the parameters that an optimizer step updates.
struct Stepped {
  Forward f;
  NamedParameters parameters;
};

/// Checks that a step of `minimize`, with SGD and with an optimizer that has slots, gives the same values as the rule
/// applied to the gradients of a plain backward pass, followed by recorded updates and constraints. Adds one line per
/// rule, for the function with the largest error. Defined in optim/step_check.cpp, because core does not include optim.
void check_steps(CheckReport& report, std::span<const Stepped> functions, const GradientCheckOptions& options);

/// Allowed relative difference between the same sums in another order.
inline constexpr Real rounding_allowed = std::is_same_v<Real, double> ? Real(1e-12) : Real(1e-5);

}  // namespace cornu::detail
