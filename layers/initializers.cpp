#include "cornu/layers/initializers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/layers/registry.h"

namespace cornu {

namespace {

void fill_truncated_normal(View out, Rng& rng, double mean, double stddev) {
  for (Real& value : out) {
    double z = rng.normal();
    while (std::abs(z) > 2) z = rng.normal();
    value = static_cast<Real>(mean + stddev * z);
  }
}

struct Fans {
  double in = 1, out = 1;  // a scalar's fans

  explicit Fans(const Shape& shape) {
    if (shape.rank() == 0) return;
    const Index window = shape.rank() == 1 ? 1 : shape.sub(0, shape.rank() - 2).size();
    // double, because window times width may exceed Index; at least 1, because it is a divisor.
    const auto fan = [&](Index axis) {
      return std::max(1.0, static_cast<double>(window) * static_cast<double>(shape[axis]));
    };
    in = fan(shape.rank() == 1 ? -1 : -2);
    out = fan(-1);
  }
};

double glorot_variance(const View& out) {
  const Fans fans(out.shape());
  return 2 / (fans.in + fans.out);
}

double he_variance(const View& out) { return 2 / Fans(out.shape()).in; }

double lecun_variance(const View& out) { return 1 / Fans(out.shape()).in; }

void fill_uniform(View out, Rng& rng, double variance) {
  const auto limit = static_cast<Real>(std::sqrt(3 * variance));
  rng.fill_uniform(out, -limit, limit);
}

void fill_normal(View out, Rng& rng, double variance) {
  // Standard deviation of a standard normal truncated to [-2, 2].
  constexpr double kept_stddev = 0.87962566103423978;
  fill_truncated_normal(out, rng, 0, std::sqrt(variance) / kept_stddev);
}

void require_normal(const char* name, double mean, double stddev) {
  require<ValueError>(std::isfinite(static_cast<Real>(mean)) && std::isfinite(static_cast<Real>(stddev)) && stddev >= 0,
                      "{}: mean is {} and stddev is {}; both must be finite, and stddev not negative", name, mean,
                      stddev);
}

/// Dot product with four partial sums: fast, and with the same bits on every machine, because the order is fixed.
double dot(const double* a, const double* b, Index n) {
  std::array<double, 4> lanes{};
  Index i = 0;
  for (; i + 4 <= n; i += 4) {
    for (std::size_t k = 0; k < 4; ++k) lanes[k] += a[i + static_cast<Index>(k)] * b[i + static_cast<Index>(k)];
  }
  for (; i < n; ++i) lanes[0] += a[i] * b[i];
  return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

/// Replaces `vector` by a random unit vector orthogonal to the first `count` rows of `basis`, which are orthonormal.
void draw_orthonormal(const double* basis, Index count, double* vector, Index n, Rng& rng) {
  while (true) {
    std::generate_n(vector, n, [&] { return static_cast<double>(rng.normal()); });
    // If the subtraction cancels most of the vector, rounding leaves parts along the basis: repeat it.
    double before = 0, length = std::sqrt(dot(vector, vector, n));
    do {
      for (Index k = 0; k < count; ++k) {
        const double* const known = basis + k * n;
        const double along = dot(known, vector, n);
        for (Index i = 0; i < n; ++i) vector[i] -= along * known[i];
      }
      before = length;
      length = std::sqrt(dot(vector, vector, n));
    } while (length < before / 2);
    if (length == 0) continue;
    for (Index i = 0; i < n; ++i) vector[i] /= length;
    return;
  }
}

}  // namespace

void zeros(View out, Rng&) { std::fill(out.begin(), out.end(), Real{0}); }

void ones(View out, Rng&) { std::fill(out.begin(), out.end(), Real{1}); }

namespace {

// Structs rather than lambdas, so that files can name them.

struct Constant {
  double value = 0;

  void options(auto& visit) { visit("value", value); }
  void operator()(View out, Rng&) const { std::fill(out.begin(), out.end(), static_cast<Real>(value)); }
};

struct RandomUniform {
  double low = -0.05, high = 0.05;

  void options(auto& visit) {
    visit("minval", low);
    visit("maxval", high);
  }
  void operator()(View out, Rng& rng) const { rng.fill_uniform(out, static_cast<Real>(low), static_cast<Real>(high)); }
};

struct RandomNormal {
  double mean = 0, stddev = 0.05;

  void options(auto& visit) {
    visit("mean", mean);
    visit("stddev", stddev);
  }
  void operator()(View out, Rng& rng) const {
    rng.fill_normal(out, static_cast<Real>(mean), static_cast<Real>(stddev));
  }
};

struct TruncatedNormal {
  double mean = 0, stddev = 0.05;

  void options(auto& visit) {
    visit("mean", mean);
    visit("stddev", stddev);
  }
  void operator()(View out, Rng& rng) const { fill_truncated_normal(out, rng, mean, stddev); }
};

struct Orthogonal {
  double gain = 1;

  void options(auto& visit) { visit("gain", gain); }
  void operator()(View out, Rng& rng) const;
};

}  // namespace

Initializer constant(double value) { return Constant{value}; }

Initializer random_uniform(double low, double high) {
  const auto from = static_cast<Real>(low), to = static_cast<Real>(high);
  require<ValueError>(std::isfinite(to - from) && from <= to,
                      "random_uniform: low is {} and high is {}; a finite range with low not above high is required",
                      low, high);
  return RandomUniform{low, high};
}

Initializer random_normal(double mean, double stddev) {
  require_normal("random_normal", mean, stddev);
  return RandomNormal{mean, stddev};
}

Initializer truncated_normal(double mean, double stddev) {
  require_normal("truncated_normal", mean, stddev);
  return TruncatedNormal{mean, stddev};
}

void glorot_uniform(View out, Rng& rng) { fill_uniform(out, rng, glorot_variance(out)); }
void glorot_normal(View out, Rng& rng) { fill_normal(out, rng, glorot_variance(out)); }
void he_uniform(View out, Rng& rng) { fill_uniform(out, rng, he_variance(out)); }
void he_normal(View out, Rng& rng) { fill_normal(out, rng, he_variance(out)); }
void lecun_uniform(View out, Rng& rng) { fill_uniform(out, rng, lecun_variance(out)); }
void lecun_normal(View out, Rng& rng) { fill_normal(out, rng, lecun_variance(out)); }

Initializer orthogonal(double gain) {
  require<ValueError>(std::isfinite(gain), "orthogonal: gain is {}; it must be finite", gain);
  return Orthogonal{gain};
}

namespace {

void Orthogonal::operator()(View out, Rng& rng) const {
  const Shape& shape = out.shape();
  require(shape.rank() >= 2, "orthogonal: a parameter of shape {}; rank 2 or more is required", shape);
  if (shape.empty()) return;
  const Index columns = shape[-1], rows = shape.size() / columns;
  // Gram-Schmidt gives the Q of the QR decomposition in which R has a positive diagonal, so no signs need correcting.
  // The vectors are the columns, or the rows if there are fewer rows than columns.
  const Index count = std::min(rows, columns), n = std::max(rows, columns);
  const auto size = static_cast<std::size_t>(shape.size());
  detail::MemoryLimit::charge(detail::MemoryLimit::tensors, size * sizeof(double));
  std::vector<double> basis(size);
  for (Index k = 0; k < count; ++k) draw_orthonormal(basis.data(), k, basis.data() + k * n, n, rng);
  for (Index row = 0; row < rows; ++row) {
    for (Index column = 0; column < columns; ++column) {
      const Index at = rows < columns ? row * n + column : column * n + row;
      out[row * columns + column] = static_cast<Real>(gain * basis[static_cast<std::size_t>(at)]);
    }
  }
}

}  // namespace

namespace detail {

Registry<Initializer>& initializer_registry() {
  static Registry<Initializer> registry("initializer", "register_initializer", [](Registry<Initializer>& own) {
    own.add_all<Constant, RandomUniform, RandomNormal, TruncatedNormal, Orthogonal>();
  });
  return registry;
}

}  // namespace detail

}  // namespace cornu
