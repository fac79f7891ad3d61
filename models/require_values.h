#pragma once

#include "cornu/models/sequential.h"

namespace cornu::detail {

/// Throws StateError, with the remedy, unless the model is built and all its parameters have values.
void require_values(const Sequential& model);

}  // namespace cornu::detail
