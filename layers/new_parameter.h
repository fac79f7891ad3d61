#pragma once

#include <initializer_list>
#include <optional>

#include "cornu/core/parameter.h"
#include "cornu/layers/initializers.h"

namespace cornu::detail {

/// A parameter that a layer's build creates, and its options.
struct NewParameter {
  Parameter& parameter;
  std::optional<Shape> shape;  ///< nullopt: an option switches the parameter off, and it becomes empty
  const Initializer& initializer;
  const Regularizer& regularizer;
  const Constraint& constraint;
};

/// A shape for NewParameter.
inline std::optional<Shape> shape_if(bool wanted, const Shape& shape) {
  return wanted ? std::optional(shape) : std::nullopt;
}

/// Initializes the parameters in order. If an initializer throws, none of them is changed.
void create_parameters(std::initializer_list<NewParameter> parameters, Rng& rng);

}  // namespace cornu::detail
