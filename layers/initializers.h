#pragma once

#include <functional>

#include "cornu/core/random.h"

/// How parameters begin. Each draws from the Rng that it is given and from nothing else, and makes the same numbers
/// with every compiler and standard library.
namespace cornu {

/// Fills a new parameter. A plain function, or anything that can be called like one.
using Initializer = std::function<void(View out, Rng& rng)>;

void zeros(View out, Rng& rng);
void ones(View out, Rng& rng);
Initializer constant(double value);

/// Uniform between low and high. Throws ValueError unless low <= high and the range between them is finite.
Initializer random_uniform(double low = -0.05, double high = 0.05);

/// Normal. Throws ValueError unless both are finite and stddev >= 0.
Initializer random_normal(double mean = 0, double stddev = 0.05);

/// Normal, drawn anew until within two standard deviations of the mean. `stddev` is that of the normal before its tails
/// are cut. Throws ValueError unless both are finite and stddev >= 0.
Initializer truncated_normal(double mean = 0, double stddev = 0.05);

// ---- Of a variance that keeps signals alike from layer to layer ----
//
// The fans of a kernel (in, out) are in and out; leading axes (a convolution's window) multiply both. Of a parameter of
// rank 1 both are its length. The uniform ones are uniform in [-limit, limit], limit = sqrt(3 variance). The normal
// ones are truncated at two standard deviations of a normal so much wider that the variance is met.

/// Variance 2 / (fan_in + fan_out): Keras's default for kernels (Glorot and Bengio, 2010).
void glorot_uniform(View out, Rng& rng);
void glorot_normal(View out, Rng& rng);

/// Variance 2 / fan_in, for relu (He, Zhang, Ren and Sun, 2015).
void he_uniform(View out, Rng& rng);
void he_normal(View out, Rng& rng);

/// Variance 1 / fan_in (LeCun, Bottou, Orr and Mueller, 1998).
void lecun_uniform(View out, Rng& rng);
void lecun_normal(View out, Rng& rng);

/// gain Q, Q uniformly random among the matrices with orthonormal columns, or rows where there are fewer of them (Saxe,
/// McClelland and Ganguli, 2014). All axes but the last are taken together as rows.
/// Throws ValueError for a gain that is not finite; the initializer throws ShapeError for a rank below 2.
Initializer orthogonal(double gain = 1);

}  // namespace cornu
