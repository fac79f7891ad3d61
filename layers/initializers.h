#pragma once

#include <functional>

#include "cornu/core/random.h"

/// Initial values of parameters. Every initializer draws only from the given Rng and produces the same values with
/// every compiler and standard library.
namespace cornu {

/// Fills a new parameter: a plain function or any callable object.
using Initializer = std::function<void(View out, Rng& rng)>;

void zeros(View out, Rng& rng);
void ones(View out, Rng& rng);
Initializer constant(double value);

/// Uniform in [low, high]. Throws ValueError unless low <= high and high - low is finite.
Initializer random_uniform(double low = -0.05, double high = 0.05);

/// Normal. Throws ValueError unless mean and stddev are finite and stddev >= 0.
Initializer random_normal(double mean = 0, double stddev = 0.05);

/// Normal, redrawn until within two standard deviations of the mean. `stddev` is the standard deviation before
/// truncation. Throws ValueError unless mean and stddev are finite and stddev >= 0.
Initializer truncated_normal(double mean = 0, double stddev = 0.05);

// ---- Variance scaling: keeps the variance of signals constant from layer to layer ----
//
// The fan-in and fan-out of a kernel (in, out) are in and out; leading axes (a convolution's window) multiply both. For
// a parameter of rank 1 both are its length. The uniform ones draw from [-limit, limit] with limit = sqrt(3 variance).
// The normal ones are truncated at two standard deviations, and widened so that the variance after truncation is the
// one given.

/// Variance 2 / (fan_in + fan_out), Keras's default for kernels (Glorot and Bengio, 2010).
void glorot_uniform(View out, Rng& rng);
void glorot_normal(View out, Rng& rng);

/// Variance 2 / fan_in, for relu (He, Zhang, Ren and Sun, 2015).
void he_uniform(View out, Rng& rng);
void he_normal(View out, Rng& rng);

/// Variance 1 / fan_in (LeCun, Bottou, Orr and Mueller, 1998).
void lecun_uniform(View out, Rng& rng);
void lecun_normal(View out, Rng& rng);

/// gain Q, where Q is uniformly distributed over the matrices with orthonormal columns, or orthonormal rows if there
/// are fewer rows than columns (Saxe, McClelland and Ganguli, 2014). All axes but the last are flattened into rows.
/// Throws ValueError for a gain that is not finite. The initializer throws ShapeError for a rank below 2.
Initializer orthogonal(double gain = 1);

}  // namespace cornu
