#include "cornu/optim/losses.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"
#include "cornu/core/ops.h"

namespace cornu {

namespace {

constexpr Real smallest_probability = Real(1e-7);

Real clipped(Real p) {
  const Real low = smallest_probability, high = 1 - smallest_probability;
  return p < low ? low : p > high ? high : p;
}
bool is_clipped(Real p) { return p < smallest_probability || p > 1 - smallest_probability; }

/// The skeleton of every loss: x seen as rows of `width` numbers, each row with a loss of its own. `rows` is the shape
/// of all these losses, (batch, ...), or () where x is a single row.
/// `row(r, x, slope)` returns the loss of row r and, unless slope is null, puts its gradient there.
template <class Row>
Var mean_over_rows(const char* name, Var x, const Shape& rows, Index width, ConstView weights, Row row) {
  const Index count = rows.size(), batch = rows.rank() == 0 ? 1 : rows[0];
  require(weights.size() == 0 || weights.size() == batch, "{}: {} sample weights for a batch of {}", name,
          weights.size(), batch);
  Var y = x.tape().output({}, {x});
  Real* const slopes = x.wants_gradient() ? x.tape().scratch(x.shape()).data() : nullptr;
  double total = 0;
  for (Index r = 0; r < count; ++r) {
    const double weight = weights.size() == 0 ? 1 : static_cast<double>(weights[r / (count / batch)]);
    const double scale = weight / static_cast<double>(count);
    Real* const slope = slopes == nullptr ? nullptr : slopes + r * width;
    total += scale * static_cast<double>(row(r, x.value().data() + r * width, slope));
    if (slope != nullptr) {
      for (Index k = 0; k < width; ++k) slope[k] *= static_cast<Real>(scale);
    }
  }
  y.out()[0] = static_cast<Real>(total);
  return y.backward([=] {
    if (Sink dx = x.sink()) assign(dx, [g = y.grad()[0], slopes](Index i) { return g * slopes[i]; });
  });
}

/// Cross-entropy of one row of logits against target(k): the sum over k of target * (log sum exp(x) - x[k]). The sums
/// are in double and leave out the 1 that is the largest term: what is left is the loss of a row that is well learnt.
template <class Target>
double from_logits_row(const Real* x, Index classes, Target target, Real* slope) {
  const Index at = std::max_element(x, x + classes) - x;  // a NaN shows in the sum
  const Real best = x[at];
  double others = 0, targets = 0, product = 0;
  for (Index k = 0; k < classes; ++k) {
    const Real e = std::exp(x[k] - best), t = target(k);
    if (slope != nullptr) slope[k] = e;
    others += static_cast<double>(k == at ? e - 1 : e);  // not 0 but NaN if x[at] is infinite
    targets += static_cast<double>(t);
    if (t != 0) product += static_cast<double>(t * (x[k] - best));  // a class without weight may have logit -inf
  }
  if (slope != nullptr) {
    const auto share = static_cast<Real>(targets / (1 + others));
    for (Index k = 0; k < classes; ++k) slope[k] = slope[k] * share - target(k);
  }
  return targets * std::log1p(others) - product;
}

/// The same from probabilities p, through q = p / sum(p), clipped.
template <class Target>
double from_probabilities_row(const Real* p, Index classes, Target target, Real* slope) {
  const auto sum = static_cast<Real>(std::accumulate(p, p + classes, 0.0));
  double loss = 0, product = 0;
  for (Index k = 0; k < classes; ++k) {
    const Real q = p[k] / sum, t = target(k);
    if (t != 0) loss -= static_cast<double>(t * std::log(clipped(q)));
    if (slope == nullptr) continue;
    slope[k] = t == 0 || is_clipped(q) ? Real{0} : -t / q;
    product += static_cast<double>(slope[k] * q);
  }
  if (slope != nullptr) {
    for (Index k = 0; k < classes; ++k) slope[k] = (slope[k] - static_cast<Real>(product)) / sum;
  }
  return loss;
}

void check_classes(const char* name, Var y_pred) {
  require(y_pred.shape()[-1] > 0, "{}: predictions {} have no classes", name, y_pred.shape());
}

void check_smoothing(const char* name, double smoothing) {
  require<ValueError>(smoothing >= 0 && smoothing <= 1, "{}: label_smoothing is {}; it must be in [0, 1]", name,
                      smoothing);
}

/// Cross-entropy of every row; make_target(r) gives the function of k that is row r's truth.
template <class MakeTarget>
Var crossentropy(const char* name, Var y_pred, const CategoricalOptions& options, MakeTarget make_target) {
  const Index classes = y_pred.shape()[-1];
  const Shape rows = y_pred.shape().without(-1);
  const Var logits = options.from_logits ? y_pred : y_pred.softmax_logits();
  if (logits) {
    return mean_over_rows(name, logits, rows, classes, options.sample_weight, [&](Index r, const Real* x, Real* slope) {
      return from_logits_row(x, classes, make_target(r), slope);
    });
  }
  return mean_over_rows(name, y_pred, rows, classes, options.sample_weight, [&](Index r, const Real* p, Real* slope) {
    return from_probabilities_row(p, classes, make_target(r), slope);
  });
}

/// Whether two shapes are the same but for a last axis of 1 that one of them lacks.
bool alike(const Shape& a, const Shape& b) {
  return detail::same_but_for_last_1(a, b) || detail::same_but_for_last_1(b, a);
}

/// A loss that is the mean over all numbers: one row a sample where there are weights.
template <class Element>
Var mean_over_elements(const char* name, Var x, ConstView y_true, ConstView weights, Element element) {
  require(alike(x.shape(), y_true.shape()), "{}: predictions are {} and the truth is {}; equal shapes are required",
          name, x.shape(), y_true.shape());
  return mean_over_rows(name, x, x.shape(), 1, weights,
                        [=](Index r, const Real* value, Real* slope) { return element(*value, y_true[r], slope); });
}

}  // namespace

Var sparse_categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options) {
  const char* const name = "sparse_categorical_crossentropy";
  require(y_pred.rank() > 0 && alike(y_pred.shape().without(-1), y_true.shape()),
          "{}: predictions are {} and labels {}; one label for each row of classes is required{}", name, y_pred.shape(),
          y_true.shape(),
          y_pred.shape() == y_true.shape()            ? " (one-hot labels go to categorical_crossentropy)"
          : y_pred.rank() > y_true.shape().rank() + 1 ? " (is a Flatten missing?)"
                                                      : "");
  check_classes(name, y_pred);
  check_smoothing(name, options.label_smoothing);
  const Index classes = y_pred.shape()[-1];
  for (Index r = 0; r < y_true.size(); ++r) {
    const Real label = y_true[r];
    require<ValueError>(label >= 0 && label < static_cast<Real>(classes) && label == std::floor(label),
                        "{}: label {} in row {}; labels are whole numbers from 0 to {}", name, label, r, classes - 1);
  }
  const auto rest = static_cast<Real>(options.label_smoothing / static_cast<double>(classes));
  const Real peak = static_cast<Real>(1 - options.label_smoothing) + rest;
  return crossentropy(name, y_pred, options, [=](Index r) {
    return [label = static_cast<Index>(y_true[r]), peak, rest](Index k) { return k == label ? peak : rest; };
  });
}

Var categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options) {
  const char* const name = "categorical_crossentropy";
  require(y_pred.rank() > 0 && y_pred.shape() == y_true.shape(),
          "{}: predictions are {} and the truth is {}; equal shapes are required{}", name, y_pred.shape(),
          y_true.shape(),
          y_pred.rank() > 0 && alike(y_pred.shape().without(-1), y_true.shape())
              ? " (class indices go to sparse_categorical_crossentropy)"
              : "");
  check_classes(name, y_pred);
  check_smoothing(name, options.label_smoothing);
  const Index classes = y_pred.shape()[-1];
  const auto rest = static_cast<Real>(options.label_smoothing / static_cast<double>(classes));
  const auto kept = static_cast<Real>(1 - options.label_smoothing);
  return crossentropy(name, y_pred, options, [=](Index r) {
    return [truth = y_true.data() + r * classes, kept, rest](Index k) { return kept * truth[k] + rest; };
  });
}

Var binary_crossentropy(Var y_pred, ConstView y_true, const BinaryOptions& options) {
  const char* const name = "binary_crossentropy";
  check_smoothing(name, options.label_smoothing);
  const auto rest = static_cast<Real>(options.label_smoothing / 2);
  const auto kept = static_cast<Real>(1 - options.label_smoothing);
  const Var logits = options.from_logits ? y_pred : y_pred.sigmoid_logits();
  if (logits) {
    return mean_over_elements(name, logits, y_true, options.sample_weight, [=](Real z, Real truth, Real* slope) {
      const Real y = kept * truth + rest, e = std::exp(-std::abs(z));
      if (slope != nullptr) *slope = (z >= 0 ? Real{1} : e) / (1 + e) - y;
      return std::max(z, Real{0}) - z * y + std::log1p(e);
    });
  }
  return mean_over_elements(name, y_pred, y_true, options.sample_weight, [=](Real p, Real truth, Real* slope) {
    const Real y = kept * truth + rest, q = clipped(p);
    if (slope != nullptr) *slope = is_clipped(p) ? Real{0} : (q - y) / (q * (1 - q));
    return -(y * std::log(q) + (1 - y) * std::log1p(-q));
  });
}

Var mean_squared_error(Var y_pred, ConstView y_true, const RegressionOptions& options) {
  return mean_over_elements("mean_squared_error", y_pred, y_true, options.sample_weight,
                            [](Real prediction, Real truth, Real* slope) {
                              const Real difference = prediction - truth;
                              if (slope != nullptr) *slope = 2 * difference;
                              return difference * difference;
                            });
}

namespace {

template <class Loss, class Options>
Tensor eagerly(Loss loss, const Tensor& y_pred, ConstView y_true, const Options& options) {
  Tape tape(Mode::inference);
  return Tensor(loss(tape.input(y_pred), y_true, options).value());
}

}  // namespace

Tensor sparse_categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options) {
  using Loss = Var (*)(Var, ConstView, const CategoricalOptions&);
  return eagerly(Loss(sparse_categorical_crossentropy), y_pred, y_true, options);
}

Tensor categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options) {
  using Loss = Var (*)(Var, ConstView, const CategoricalOptions&);
  return eagerly(Loss(categorical_crossentropy), y_pred, y_true, options);
}

Tensor binary_crossentropy(const Tensor& y_pred, ConstView y_true, const BinaryOptions& options) {
  using Loss = Var (*)(Var, ConstView, const BinaryOptions&);
  return eagerly(Loss(binary_crossentropy), y_pred, y_true, options);
}

Tensor mean_squared_error(const Tensor& y_pred, ConstView y_true, const RegressionOptions& options) {
  using Loss = Var (*)(Var, ConstView, const RegressionOptions&);
  return eagerly(Loss(mean_squared_error), y_pred, y_true, options);
}

Var SparseCategoricalCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return sparse_categorical_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

Var CategoricalCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return categorical_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

Var BinaryCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return binary_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

Var MeanSquaredError::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return mean_squared_error(y_pred, y_true, {sample_weight});
}

namespace detail {

ConstView in_shape_of(Var y_pred, ConstView y_true) {
  return alike(y_pred.shape(), y_true.shape()) ? ConstView(y_true.data(), y_pred.shape()) : y_true;
}

Var mean_over_samples(Var loss, bool mixed_before) {
  loss.tape().set_mixes_samples(mixed_before);
  return loss;
}

Var reduce_plain_loss(Var losses, ConstView sample_weight) {
  const bool mixed = losses.tape().mixes_samples();  // true where `losses` is a scalar
  if (sample_weight.size() == 0) return mean_over_samples(mean(losses), mixed);
  require(losses.rank() > 0 && losses.shape()[0] == sample_weight.size(),
          "loss: {} sample weights for losses of shape {}; a loss that is to be weighted returns one for each sample",
          sample_weight.size(), losses.shape());
  Shape spread{sample_weight.size()};
  while (spread.rank() < losses.rank()) spread = spread.inserted(spread.rank(), 1);
  return mean_over_samples(mean(losses * reshape(losses.tape().input(sample_weight), spread)), mixed);
}

}  // namespace detail

}  // namespace cornu
