#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/lanes.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/option_checks.h"
#include "cornu/core/shape_hints.h"
#include "cornu/optim/losses/clipped_probability.h"
#include "cornu/optim/losses/loss_checks.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/optim/losses/mean_over_rows.h"

namespace cornu {

namespace {

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
      return t == 0 ? Real{0} : t * std::log(detail::clipped(p[k] / sum));
    });
    const auto slope_at = [=](Index k) {
      const Real q = p[k] / sum, t = target(k);
      return t == 0 || detail::is_clipped(q) ? Real{0} : -t / q;
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
    const Var loss = detail::mean_over_rows(name, y_pred, rows, classes, options.sample_weight,
                                            [&](Index first, Index count, const Real* p, Real* slopes, double* losses) {
                                              from_probabilities(first, count, p, truth, slopes, losses);
                                            });
    return detail::keep_infinities(loss, y_pred.value());
  }
  const Index size = SliceTile::size({rows.size(), classes, 1});
  Real* const memory = logits.tape().scratch({3, size}).data();
  return detail::mean_over_rows(
      name, logits, rows, classes, options.sample_weight,
      [&](Index first, Index count, const Real* x, Real* slopes, double* losses) {
        each_slice_tile({count, classes, 1}, [&](const SliceTile& tile) {
          Real* const targets = memory;
          vectorized([=] { tile.make(targets, 0, [=](Index r) { return truth.row(first + r); }); });
          from_logits(tile, x, targets, memory + size, slopes, losses);
        });
      });
}

}  // namespace

Var sparse_categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options) {
  const char* const name = "sparse_categorical_crossentropy";
  require(y_pred.rank() > 0 && detail::alike(y_pred.shape().without(-1), y_true.shape()),
          "{}: predictions are {} and labels {}; one label for each row of classes is required{}", name, y_pred.shape(),
          y_true.shape(),
          y_pred.shape() == y_true.shape() ? " (for one-hot labels use categorical_crossentropy)"
                                           : detail::prediction_hint(y_pred.shape(), y_true.shape(), true));
  check_classes(name, y_pred);
  detail::require_fraction(name, "label_smoothing", options.label_smoothing);
  const Index classes = y_pred.shape()[-1];
  for (Index r = 0; r < y_true.size(); ++r) {
    const Real label = y_true[r];
    const bool valid =
        label >= 0 && label < static_cast<Real>(classes) && label == static_cast<Real>(static_cast<Index>(label));
    if (!valid && !detail::has_weight_0(y_true, options.sample_weight, r)) [[unlikely]]
      throw ValueError(message("{}: label {} in {}; labels are whole numbers from 0 to {}", name, label,
                               detail::place(y_true.shape(), r), classes - 1));
  }
  Truth truth(options.label_smoothing, classes);
  truth.labels = y_true.data();
  return crossentropy(name, y_pred, options, truth);
}

Var categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options) {
  const char* const name = "categorical_crossentropy";
  require(y_pred.rank() > 0 && y_pred.shape() == y_true.shape(),
          "{}: predictions are {} and targets {}; equal shapes are required{}", name, y_pred.shape(), y_true.shape(),
          y_pred.rank() > 0 && detail::alike(y_pred.shape().without(-1), y_true.shape())
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

Tensor sparse_categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options) {
  return detail::eagerly(sparse_categorical_crossentropy, y_pred, y_true, options);
}

Var SparseCategoricalCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return sparse_categorical_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

Tensor categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options) {
  return detail::eagerly(categorical_crossentropy, y_pred, y_true, options);
}

Var CategoricalCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return categorical_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

}  // namespace cornu
