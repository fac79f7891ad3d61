#include "cornu/optim/losses/losses.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/lanes.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/option_checks.h"
#include "cornu/core/shape_hints.h"
#include "cornu/optim/losses/loss_checks.h"

namespace cornu {

namespace {

constexpr Real smallest_probability = Real(1e-7);

Real clipped(Real p) {
  const Real low = smallest_probability, high = 1 - smallest_probability;
  return p < low ? low : p > high ? high : p;
}
bool is_clipped(Real p) { return p < smallest_probability || p > 1 - smallest_probability; }

constexpr Index block_size = 4096;  // elements: keeps the data of several loops in the L1 cache
constexpr Index most_rows = 256;    // per block
using RowLosses = std::array<double, most_rows>;

void scale(Real* slopes, Index n, double factor) {
  transform(slopes, n, [by = static_cast<Real>(factor)](Real slope) { return slope * by; });
}

/// dx = g * slopes. A separate function, so that it is compiled once and not for every loss.
void hand_on(Real g, const Real* slopes, const Sink& dx) {
  assign(dx, [=](Index i) { return g * slopes[i]; });
}

/// Computes the losses and gradients of at most most_rows rows, from row `first` on. A non-owning reference to a
/// function (first, count, x, slopes, losses).
class Block {
 public:
  template <class F>
  Block(const F& f)
      : function_(&f), call_([](const void* g, Index first, Index count, const Real* x, Real* slopes, double* losses) {
          (*static_cast<const F*>(g))(first, count, x, slopes, losses);
        }) {}
  void operator()(Index first, Index count, const Real* x, Real* slopes, double* losses) const {
    call_(function_, first, count, x, slopes, losses);
  }

 private:
  const void* function_;
  void (*call_)(const void*, Index, Index, const Real*, Real*, double*);
};

/// The number of losses that share a weight. Throws ShapeError unless the weights have the shape of the losses or of
/// their first axes, ignoring trailing axes of 1.
Index losses_per_weight(const char* name, const Shape& losses, ConstView weights) {
  Shape shape = weights.shape();
  while (shape.rank() > 0 && shape[-1] == 1) shape = shape.without(-1);
  require(shape.rank() <= losses.rank() && shape == losses.sub(0, shape.rank()),
          "{}: sample weights are {} and losses {}; one weight for each sample or for each loss is required", name,
          weights.shape(), losses);
  return losses.size() / weights.size();
}

/// The common part of all losses: the mean over rows of `width` elements of x, each with one loss. `rows` is the shape
/// of the losses, (batch, ...), or () if x is a single row.
Var mean_over_rows(const char* name, Var x, const Shape& rows, Index width, ConstView weights, const Block& block) {
  const Index count = rows.size(), per_weight = weights.size() == 0 ? 1 : losses_per_weight(name, rows, weights);
  detail::require_weights(name, weights);
  Var y = x.tape().output({}, {x});
  const Index size = std::min(std::clamp(block_size / width, Index{1}, most_rows), count);
  const bool keeps_slopes = x.wants_gradient();
  Real* const slopes = x.tape().scratch({(keeps_slopes ? count : size) * width}).data();
  double total = 0;
  RowLosses losses;
  for (Index first = 0; first < count; first += size) {
    const Index end = std::min(first + size, count);
    Real* const slope = slopes + (keeps_slopes ? first * width : 0);
    block(first, end - first, x.value().data() + first * width, slope, losses.data());
    for (Index r = first; r < end; ++r) {
      const double weight = weights.size() == 0 ? 1 : static_cast<double>(weights[r / per_weight]);
      total += weight / static_cast<double>(count) * losses[static_cast<std::size_t>(r - first)];
    }
    if (!keeps_slopes) continue;
    if (weights.size() == 0) {
      scale(slope, (end - first) * width, 1 / static_cast<double>(count));
    } else {
      for (Index r = first; r < end; ++r) {
        scale(slope + (r - first) * width, width,
              static_cast<double>(weights[r / per_weight]) / static_cast<double>(count));
      }
    }
  }
  y.out()[0] = static_cast<Real>(total);
  return y.backward([=] {
    if (Sink dx = x.sink()) hand_on(y.grad()[0], slopes, dx);
  });
}

/// The sum of f(0), ..., f(n - 1), as independent partial sums that hide the latency of addition.
template <class F>
[[gnu::always_inline]] inline double sum_of(Index n, F f) {
  constexpr Index lanes = 8;
  std::array<double, lanes> sums{};
  Index k = 0;
  for (; k + lanes <= n; k += lanes) {
    for (Index l = 0; l < lanes; ++l) sums[static_cast<std::size_t>(l)] += static_cast<double>(f(k + l));
  }
  for (; k < n; ++k) sums[0] += static_cast<double>(f(k));
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/// Cross-entropy of a tile of rows of logits x against a tile of targets: the sum over k of
/// target[k] * (log sum exp(x) - x[k]). `memory` is scratch memory for two tiles.
void from_logits(const SliceTile& tile, const Real* x, const Real* targets, Real* memory, Real* slopes,
                 double* losses) {
  vectorized([=] {
    Real *const differences = memory, *const e = memory + tile.size();
    tile.load(x, -std::numeric_limits<Real>::infinity(), differences);
    const Lanes peaks = tile.max(differences);
    tile.each(differences, [=](Index i, std::size_t lane) { return differences[i] - peaks[lane]; });
    tile.each(e, [=](Index i, std::size_t) { return math::exp(differences[i]); });
    // The largest term of the sum is exactly 1. It is left out, so that log1p of the rest stays precise for a row that
    // is predicted well. If the maximum of a row is infinite, its terms are NaN instead.
    const auto is_one = [=](Index i) { return e[i] == 1 ? Real{1} : Real{0}; };
    const auto smaller = tile.sum_in_double([=](Index i) { return e[i] - is_one(i); });
    const auto ones = tile.sum_in_double(is_one);
    const auto total = tile.sum_in_double([=](Index i) { return targets[i]; });
    // A class with target 0 may have logit -inf; 0 * -inf would be NaN.
    const auto product =
        tile.sum_in_double([=](Index i) { return targets[i] * (targets[i] != 0 ? differences[i] : Real{0}); });
    Lanes share;
    LanesOf<double> loss;
    for (std::size_t lane = 0; lane < lane_count; ++lane) {
      const double others = smaller[lane] + (ones[lane] - 1);
      loss[lane] = total[lane] * math::log1p(others) - product[lane];
      share[lane] = static_cast<Real>(total[lane] / (1 + others));
    }
    tile.each(e, [=](Index i, std::size_t lane) { return e[i] * share[lane] - targets[i]; });
    tile.store(e, false, slopes);
    std::copy_n(loss.begin(), tile.slices(), losses + tile.first());
  });
}

/// The targets of the rows of predictions: class indices or, if `labels` is null, one distribution per row.
struct Truth {
  const Real* labels = nullptr;
  const Real* distributions = nullptr;
  Index classes = 0;
  Real kept = 1, rest = 0;  // label smoothing: smoothed target = kept * target + rest

  Truth(double smoothing, Index count)
      : classes(count),
        kept(static_cast<Real>(1 - smoothing)),
        rest(static_cast<Real>(smoothing / static_cast<double>(count))) {}

  /// A function of k that returns the smoothed target of class k in row r.
  auto row(Index r) const {
    const bool is_label = labels != nullptr;
    const bool is_class = is_label && labels[r] >= 0 && labels[r] < static_cast<Real>(classes);  // false: weight 0
    return [=, label = is_class ? static_cast<Index>(labels[r]) : -1,
            row = is_label ? nullptr : distributions + r * classes, by = kept,
            more = rest](Index k) { return (is_label ? (k == label ? by : 0) : by * row[k]) + more; };
  }
};

/// Cross-entropy of probabilities p against the targets, computed from q = clip(p / sum(p)).
void from_probabilities(Index first, Index rows, const Real* probabilities, const Truth& truth, Real* slopes,
                        double* losses) {
  const Index classes = truth.classes;
  for (Index r = 0; r < rows; ++r) {
    const auto target = truth.row(first + r);
    const Real* const p = probabilities + r * classes;
    Real* const slope = slopes + r * classes;
    const auto sum = static_cast<Real>(sum_of(classes, [=](Index k) { return p[k]; }));
    losses[r] = -sum_of(classes, [=](Index k) {
      const Real t = target(k);
      return t == 0 ? Real{0} : t * std::log(clipped(p[k] / sum));
    });
    const auto slope_at = [=](Index k) {
      const Real q = p[k] / sum, t = target(k);
      return t == 0 || is_clipped(q) ? Real{0} : -t / q;
    };
    const auto product = static_cast<Real>(sum_of(classes, [=](Index k) { return slope_at(k) * (p[k] / sum); }));
    for (Index k = 0; k < classes; ++k) slope[k] = (slope_at(k) - product) / sum;
  }
}

void check_classes(const char* name, Var y_pred) {
  require(y_pred.shape()[-1] > 0, "{}: predictions {} have no classes", name, y_pred.shape());
}

/// Mean cross-entropy over all rows.
Var crossentropy(const char* name, Var y_pred, const CategoricalOptions& options, const Truth& truth) {
  const Index classes = truth.classes;
  const Shape rows = y_pred.shape().without(-1);
  detail::refuse_one_class(name, y_pred);
  if (options.from_logits) detail::refuse_squashed(name, y_pred);
  const Var logits = detail::softmax_logits_of(name, y_pred, options.from_logits);
  if (!logits) {
    const Var loss = mean_over_rows(name, y_pred, rows, classes, options.sample_weight,
                                    [&](Index first, Index count, const Real* p, Real* slopes, double* losses) {
                                      from_probabilities(first, count, p, truth, slopes, losses);
                                    });
    return detail::keep_infinities(loss, y_pred.value());
  }
  const Index size = SliceTile::size({rows.size(), classes, 1});
  Real* const memory = logits.tape().scratch({3, size}).data();
  return mean_over_rows(name, logits, rows, classes, options.sample_weight,
                        [&](Index first, Index count, const Real* x, Real* slopes, double* losses) {
                          each_slice_tile({count, classes, 1}, [&](const SliceTile& tile) {
                            Real* const targets = memory;
                            vectorized([=] { tile.make(targets, 0, [=](Index r) { return truth.row(first + r); }); });
                            from_logits(tile, x, targets, memory + size, slopes, losses);
                          });
                        });
}

/// True if two shapes are equal, up to a last axis of 1 that one of them may lack.
bool alike(const Shape& a, const Shape& b) {
  return detail::same_but_for_last_1(a, b) || detail::same_but_for_last_1(b, a);
}

/// The mean over all elements: element(x, truth, slope) returns the loss of one element and sets its gradient, `slope`.
template <class Element>
Var mean_over_elements(const char* name, Var x, ConstView y_true, ConstView weights, Element element) {
  require(alike(x.shape(), y_true.shape()), "{}: predictions are {} and targets {}; equal shapes are required{}", name,
          x.shape(), y_true.shape(), detail::prediction_hint(x.shape(), y_true.shape()));
  return mean_over_rows(name, x, x.shape(), 1, weights,
                        [=](Index first, Index count, const Real* values, Real* slopes, double* losses) {
                          vectorized([=, truth = y_true.data() + first] {
                            for (Index i = 0; i < count; ++i) {
                              losses[i] = static_cast<double>(element(values[i], truth[i], slopes[i]));
                            }
                          });
                        });
}

}  // namespace

Var sparse_categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options) {
  const char* const name = "sparse_categorical_crossentropy";
  require(y_pred.rank() > 0 && alike(y_pred.shape().without(-1), y_true.shape()),
          "{}: predictions are {} and labels {}; one label for each row of classes is required{}", name, y_pred.shape(),
          y_true.shape(),
          y_pred.shape() == y_true.shape() ? " (for one-hot labels use categorical_crossentropy)"
                                           : detail::prediction_hint(y_pred.shape(), y_true.shape(), true));
  check_classes(name, y_pred);
  detail::require_fraction(name, "label_smoothing", options.label_smoothing);
  const Index classes = y_pred.shape()[-1];
  for (Index r = 0; r < y_true.size(); ++r) {
    const Real label = y_true[r];
    require<ValueError>(
        (label >= 0 && label < static_cast<Real>(classes) && label == static_cast<Real>(static_cast<Index>(label))) ||
            detail::has_weight_0(y_true, options.sample_weight, r),
        "{}: label {} in row {}; labels are whole numbers from 0 to {}", name, label, r, classes - 1);
  }
  Truth truth(options.label_smoothing, classes);
  truth.labels = y_true.data();
  return crossentropy(name, y_pred, options, truth);
}

Var categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options) {
  const char* const name = "categorical_crossentropy";
  require(y_pred.rank() > 0 && y_pred.shape() == y_true.shape(),
          "{}: predictions are {} and targets {}; equal shapes are required{}", name, y_pred.shape(), y_true.shape(),
          y_pred.rank() > 0 && alike(y_pred.shape().without(-1), y_true.shape())
              ? " (for class indices use sparse_categorical_crossentropy)"
              : detail::prediction_hint(y_pred.shape(), y_true.shape()));
  check_classes(name, y_pred);
  detail::require_fraction(name, "label_smoothing", options.label_smoothing);
  detail::require_not_negative(name, y_true, "target", "targets are one-hot, or the probability of each class",
                               options.sample_weight);
  Truth truth(options.label_smoothing, y_pred.shape()[-1]);
  truth.distributions = y_true.data();
  return crossentropy(name, y_pred, options, truth);
}

Var binary_crossentropy(Var y_pred, ConstView y_true, const BinaryOptions& options) {
  const char* const name = "binary_crossentropy";
  detail::require_fraction(name, "label_smoothing", options.label_smoothing);
  const auto rest = static_cast<Real>(options.label_smoothing / 2);
  const auto kept = static_cast<Real>(1 - options.label_smoothing);
  detail::refuse_softmax_of_one(name, y_pred);
  if (options.from_logits) detail::refuse_squashed(name, y_pred);
  detail::require_binary_labels(name, y_true, options.sample_weight);
  const Var logits = detail::sigmoid_logits_of(name, y_pred, options.from_logits);
  if (logits) {
    return mean_over_elements(name, logits, y_true, options.sample_weight, [=](Real z, Real truth, Real& slope) {
      const Real y = kept * truth + rest, e = math::exp(-std::abs(z));
      slope = (z >= 0 ? Real{1} : e) / (1 + e) - y;
      return std::max(z, Real{0}) - z * y + math::log1p(e);
    });
  }
  const Var loss =
      mean_over_elements(name, y_pred, y_true, options.sample_weight, [=](Real p, Real truth, Real& slope) {
        const Real y = kept * truth + rest, q = clipped(p);
        slope = is_clipped(p) ? Real{0} : (q - y) / (q * (1 - q));
        return -(y * math::log(q) + (1 - y) * math::log1p(-q));
      });
  return detail::keep_infinities(loss, y_pred.value());
}

Var mean_squared_error(Var y_pred, ConstView y_true, const RegressionOptions& options) {
  detail::refuse_softmax_of_one("mean_squared_error", y_pred);
  return mean_over_elements("mean_squared_error", y_pred, y_true, options.sample_weight,
                            [](Real prediction, Real truth, Real& slope) {
                              const Real difference = prediction - truth;
                              slope = 2 * difference;
                              return difference * difference;
                            });
}

namespace detail {

ConstView in_shape_of(Var y_pred, ConstView y_true) {
  refuse_softmax_of_one("loss", y_pred);
  return alike(y_pred.shape(), y_true.shape()) ? ConstView(y_true.data(), y_pred.shape()) : y_true;
}

ConstView without_padding(Var y_pred, ConstView y_true, ConstView sample_weight) {
  if (std::find(sample_weight.begin(), sample_weight.end(), Real{0}) == sample_weight.end()) return y_true;
  const View result = y_pred.tape().scratch(y_true.shape());
  for (Index i = 0; i < result.size(); ++i) result[i] = has_weight_0(y_true, sample_weight, i) ? Real{1} : y_true[i];
  return result;
}

Var mean_over_samples(Var loss, bool mixed_before) {
  loss.tape().set_mixes_samples(mixed_before);
  return loss;
}

Var reduce_plain_loss(Var losses, ConstView sample_weight) {
  const bool mixed = losses.tape().mixes_samples();  // true if `losses` is a scalar
  if (sample_weight.size() == 0) return mean_over_samples(mean(losses), mixed);
  require(losses.rank() > 0,
          "loss: sample weights are {} but the loss returns a scalar; a weighted loss must return one loss for "
          "each sample",
          sample_weight.shape());
  require_weights("loss", sample_weight);
  losses_per_weight("loss", losses.shape(), sample_weight);
  Shape spread = sample_weight.shape();
  while (spread.rank() > losses.rank()) spread = spread.without(-1);  // drops axes of 1
  while (spread.rank() < losses.rank()) spread = spread.inserted(spread.rank(), 1);
  return mean_over_samples(mean(losses * losses.tape().input({sample_weight.data(), spread})), mixed);
}

}  // namespace detail

}  // namespace cornu
