#pragma once

#include "cornu/models/sequential.h"

namespace cornu::detail {

/// Throws StateError, saying what to do, unless the model is built and all its parameters have values.
void require_values(const Sequential& model);

}  // namespace cornu::detail
