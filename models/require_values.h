#pragma once

#include "cornu/models/sequential.h"

namespace cornu::detail {

/// Throws StateError, with the remedy, unless the model is built and all its parameters have values.
void require_values(const Sequential& model);

/// Throws ValueError, with the remedy, for a model that takes samples of any length. `who`: what writes it.
void require_one_length(const Sequential& model, const char* who);

}  // namespace cornu::detail
