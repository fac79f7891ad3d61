#include <cmath>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/kernels/lanes.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

/// The operand, with a scalar broadcast to `shape`.
Var spread(const Operand& operand, Tape& tape, const Shape& shape) {
  const Var given = operand.on(tape);
  if (given.rank() > 0) return given;
  const View zeros = tape.scratch(shape);
  fill(zeros, 0);
  return given + tape.input(zeros);
}

/// A matrix (samples, features) viewed as wide rows of `repeats` samples each, so that loops run over whole vectors
/// even with few features. Per-feature values are repeated to match. `rest` elements remain after the last wide row.
struct WideRows {
  Index features, samples, repeats = 1, width, rows, rest;

  explicit WideRows(const Shape& shape) : features(shape[-1]), samples(shape.without(-1).size()) {
    constexpr Index few = 4 * lane_count;  // features
    const auto pays = [&](Index n) { return n * features <= 4 * few && 4 * n <= samples; };
    if (features > 0 && features < few) repeats = lane_count / std::gcd(features, lane_count);
    if (!pays(repeats)) repeats = 1;
    while (repeats * features < few && pays(2 * repeats)) repeats *= 2;
    width = repeats * features;
    rows = samples / repeats;
    rest = samples % repeats * features;
  }

  /// A wide row with the value f(j) for each feature j, repeated.
  template <class F>
  Real* make(Tape& tape, F f) const {
    Real* const row = tape.scratch({width}).data();
    for (Index j = 0; j < features; ++j) row[j] = f(j);
    for (Index j = features; j < width; ++j) row[j] = row[j - features];
    return row;
  }

  /// to[k] = f(k, j) for element k of the matrix, which is in column j of a wide row.
  template <class F>
  [[gnu::always_inline]] void each(Real* to, bool accumulates, F f) const {
    const Index total = samples * features;
    for (Index first = 0; first < total; first += width) {
      assign(to + first, std::min(width, total - first), accumulates, [=](Index j) { return f(first + j, j); });
    }
  }

  /// Per-feature sums of x.
  Real* sum(Tape& tape, const Real* x) const {
    Real* const row = tape.scratch({width}).data();
    sum_axis(x, {1, rows, width}, 1, overwrite(View(row, {width})));
    for (Index j = 0; j < rest; ++j) row[j] += x[rows * width + j];
    return folded(row);
  }
  /// Per-feature sums of (a - a0) (b - b0); a0 and b0 are wide rows.
  Real* sum_products(Tape& tape, const Real* a, const Real* a0, const Real* b, const Real* b0) const {
    Real* const row = tape.scratch({width}).data();
    vectorized([=, all = *this] {
      const Index w = all.width, last = all.rows * w;
      const auto product = [=](Index k, Index j) { return (a[k] - a0[j]) * (b[k] - b0[j]); };
      sum_columns(
          all.rows, w, [=](Index i, Index j) { return product(i * w + j, j); },
          [=](Index j, Real total) { row[j] = total; });
      for (Index j = 0; j < all.rest; ++j) row[j] += product(last + j, j);
    });
    return folded(row);
  }

 private:
  Real* folded(Real* row) const {
    for (Index first = features; first < width; first += features) {
      for (Index j = 0; j < features; ++j) row[j] += row[first + j];
    }
    return row;
  }
};

void require_features(Var x) {
  require(x.rank() > 0, "batch_normalization: x is a scalar; x (..., features) is required");
}

/// Both forms of batch_normalization. If `own`, computes mean and variance from x and writes them to `mean` and
/// `variance`; otherwise reads them.
Var normalize_features(Var x, Var mean, Var variance, bool own, Var scale, Var offset, double epsilon) {
  const Shape features{x.shape()[-1]};
  require(
      mean.shape() == features && variance.shape() == features && scale.shape() == features &&
          offset.shape() == features,
      "batch_normalization: x is {}, mean {}, variance {}, scale {} and offset {}; the last four must be {}, or one "
      "number each",
      x.shape(), mean.shape(), variance.shape(), scale.shape(), offset.shape(), features);
  Tape& tape = x.tape();
  Var y = tape.output(x.shape(), {x, mean, variance, scale, offset}, {"batch_normalization", {{"epsilon", epsilon}}});
  if (x.rank() > 2) y.masked_as(x);
  const WideRows all(x.shape());
  const Real one_over_samples = all.samples > 0 ? 1 / static_cast<Real>(all.samples) : 0;
  const Real eps = static_cast<Real>(epsilon);
  const Real* const from = x.value().data();
  if (own) {
    Real* const means = mean.out().data();
    const Real* const sums = all.sum(tape, from);
    for (Index j = 0; j < all.features; ++j) means[j] = sums[j] * one_over_samples;
  }
  const Real* const centre = all.make(tape, [means = mean.value().data()](Index j) { return means[j]; });
  if (own) {
    Real* const variances = variance.out().data();
    const Real* const squares = all.sum_products(tape, from, centre, from, centre);
    for (Index j = 0; j < all.features; ++j) variances[j] = squares[j] * one_over_samples;
  }
  const auto inverse_of = [=, variances = variance.value().data()](Index j) {
    return 1 / std::sqrt(variances[j] + eps);
  };
  const Real* const inverse = all.make(tape, inverse_of);
  const Real* const gain = all.make(tape, [=, s = scale.value().data()](Index j) { return s[j] * inverse[j]; });
  const Real* const shift = all.make(tape, [offsets = offset.value().data()](Index j) { return offsets[j]; });
  vectorized([=, to = y.out().data()] {
    all.each(to, false, [=](Index k, Index j) { return (from[k] - centre[j]) * gain[j] + shift[j]; });
  });
  return y.backward([=] {
    Tape& memory = x.tape();
    const Real* const g = y.grad().data();
    const Real* const zeros = all.make(memory, [](Index) { return Real{0}; });
    const Real *const sums = all.sum(memory, g), *const products = all.sum_products(memory, g, zeros, from, centre);
    const auto put = [=](const Sink& sink, auto f) { assign(sink.data(), all.features, sink.accumulates(), f); };
    if (Sink dx = x.sink()) {
      // If mean and variance depend on x, subtract the mean of g and the projection of g on the centred x.
      const Real share = own ? one_over_samples : 0;
      const Real* const flat = all.make(memory, [=](Index j) { return sums[j] * share; });
      const Real* const along =
          all.make(memory, [=](Index j) { return products[j] * inverse[j] * inverse[j] * share; });
      vectorized([=, to = dx.data(), accumulates = dx.accumulates()] {
        all.each(to, accumulates,
                 [=](Index k, Index j) { return gain[j] * (g[k] - flat[j] - (from[k] - centre[j]) * along[j]); });
      });
    }
    if (Sink dmean = mean.sink()) put(dmean, [=](Index j) { return -gain[j] * sums[j]; });
    if (Sink dvariance = variance.sink()) {
      put(dvariance, [=](Index j) { return Real(-0.5) * gain[j] * inverse[j] * inverse[j] * products[j]; });
    }
    if (Sink dscale = scale.sink()) put(dscale, [=](Index j) { return products[j] * inverse[j]; });
    if (Sink doffset = offset.sink()) put(doffset, [=](Index j) { return sums[j]; });
  });
}

}  // namespace

Var batch_normalization(Var x, Operand mean, Operand variance, Operand scale, Operand offset, double epsilon) {
  require_features(x);
  Tape& tape = x.tape();
  const Shape features{x.shape()[-1]};
  return normalize_features(x, spread(mean, tape, features), spread(variance, tape, features), false,
                            spread(scale, tape, features), spread(offset, tape, features), epsilon);
}

BatchNormalized batch_normalization(Var x, Operand scale, Operand offset, double epsilon) {
  require_features(x);
  Tape& tape = x.tape();
  const Shape features{x.shape()[-1]};
  const Var mean = tape.input(tape.scratch(features)), variance = tape.input(tape.scratch(features));
  x.mix_samples();
  return {normalize_features(x, mean, variance, true, spread(scale, tape, features), spread(offset, tape, features),
                             epsilon),
          mean, variance};
}

Var layer_normalization(Var x, Operand scale_operand, Operand offset_operand,
                        const LayerNormalizationOptions& options) {
  require(0 < options.axes && options.axes <= x.rank(),
          "layer_normalization: axes is {} and x is {}; axes must be from 1 to {}", options.axes, x.shape(), x.rank());
  Tape& tape = x.tape();
  const Shape one = x.shape().sub(x.rank() - options.axes);
  const Var scale = spread(scale_operand, tape, one), offset = spread(offset_operand, tape, one);
  require(scale.shape() == one && offset.shape() == one,
          "layer_normalization: x is {}, scale {} and offset {}; the last two must be {}, or one number each",
          x.shape(), scale.shape(), offset.shape(), one);
  if (options.axes == x.rank()) x.mix_samples();
  Var y = tape.output(x.shape(), {x, scale, offset},
                      {"layer_normalization", {{"axes", options.axes}, {"epsilon", options.epsilon}}});
  if (x.rank() - options.axes >= 2) y.masked_as(x);
  const Index n = one.size(), rows = x.shape().sub(0, x.rank() - options.axes).size();
  const Real *const from = x.value().data(), *const scales = scale.value().data();
  Real *const means = tape.scratch({rows}).data(), *const inverses = tape.scratch({rows}).data();
  const Real one_over_n = 1 / static_cast<Real>(n), eps = static_cast<Real>(options.epsilon);
  vectorized([=, offsets = offset.value().data(), to = y.out().data()] {
    for (Index i = 0; i < rows; ++i) {
      const Real* const row = from + i * n;
      const Real mean = sum_numbers(n, [=](Index j) { return row[j]; }) * one_over_n;
      const Real variance = sum_numbers(n, [=](Index j) { return (row[j] - mean) * (row[j] - mean); }) * one_over_n;
      const Real inverse = 1 / std::sqrt(variance + eps);
      assign(to + i * n, n, false, [=](Index j) { return (row[j] - mean) * inverse * scales[j] + offsets[j]; });
      means[i] = mean;
      inverses[i] = inverse;
    }
  });
  return y.backward([=] {
    const Real* const g = y.grad().data();
    if (Sink dx = x.sink()) {
      vectorized([=, to = dx.data(), accumulates = dx.accumulates()] {
        for (Index i = 0; i < rows; ++i) {
          const Real *const row = from + i * n, *const gs = g + i * n, mean = means[i], inverse = inverses[i];
          const Real flat = sum_numbers(n, [=](Index j) { return gs[j] * scales[j]; }) * one_over_n;
          const Real along = sum_numbers(n, [=](Index j) { return gs[j] * scales[j] * (row[j] - mean); }) * one_over_n *
                             inverse * inverse;
          assign(to + i * n, n, accumulates,
                 [=](Index j) { return inverse * (gs[j] * scales[j] - flat - (row[j] - mean) * along); });
        }
      });
    }
    if (Sink dscale = scale.sink()) {
      vectorized([=, to = dscale.data(), accumulates = dscale.accumulates()] {
        sum_columns(
            rows, n, [=](Index i, Index j) { return g[i * n + j] * (from[i * n + j] - means[i]) * inverses[i]; },
            [=](Index j, Real sum) { to[j] = accumulates ? to[j] + sum : sum; });
      });
    }
    if (Sink doffset = offset.sink()) sum_rows(y.grad(), doffset);
  });
}

}  // namespace cornu
