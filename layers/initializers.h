#pragma once

#include <functional>

#include "cornu/core/random.h"

namespace cornu {

/// Fills a new parameter. A plain function, or anything that can be called like one.
using Initializer = std::function<void(View out, Rng& rng)>;

void zeros(View out, Rng& rng);
void ones(View out, Rng& rng);

/// Uniform in [-limit, limit] with limit = sqrt(6 / (fan_in + fan_out)): Keras's default for kernels (Glorot and
/// Bengio, 2010). For a kernel (in, out) the fans are in and out; leading axes (a convolution's window) multiply both.
void glorot_uniform(View out, Rng& rng);

}  // namespace cornu
