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

}  // namespace cornu::detail
