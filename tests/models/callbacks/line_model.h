#pragma once

#include <utility>
#include <vector>

#include "cornu/tests/models/support.h"

/// Data for line_model, and options of fit, for the tests of callbacks.
namespace cornu::testing {

/// y = 2 x at eight points; a single weight learns it.
inline const TensorDataset line_data(Tensor({8, 1}, {-1, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1}),
                                     Tensor({8, 1}, {-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2}));

inline FitOptions quiet(Index epochs, std::vector<AnyCallback> callbacks) {
  return {.batch_size = 2, .epochs = epochs, .verbose = Verbose::silent, .callbacks = std::move(callbacks)};
}

}  // namespace cornu::testing
