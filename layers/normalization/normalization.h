#pragma once

#include <vector>

#include "cornu/layers/layer.h"

namespace cornu {

/// y = (x - mean) / max(sqrt(variance), 1e-7), each feature by a mean and a variance (of the population) that are not
/// trained but given, or taken from data by `adapt`; with `invert` the way back, x = y max(...) + mean.
/// Input: (batch, ...). Output: the same shape. mean, variance: the lengths of `axis`, or what broadcasts to them.
/// `axis` counts the batch, as in Keras: the axes that have a mean for each of their places; {} for one mean of all.
/// Until it is adapted the mean is 0 and the variance 1.
/// Throws ShapeError for axes that are not there, given twice, or the batch, and where mean and variance, or the input,
/// have other lengths; ValueError where only one of them is given, for no samples, or a count below 0; StateError if it
/// was not built.
struct Normalization {
  std::vector<Index> axis{-1};
  Parameter mean{{}, false}, variance{{}, false};
  bool invert = false;
  Index count = 0;        ///< samples that mean and variance were taken from; 0: not known, or none yet
  Index saved_count = 0;  ///< from a file, until `build`

  /// Takes mean and variance from samples (samples, ...), in place of any others.
  void adapt(const Tensor& data);
  /// The same in parts: forget, then one batch after another, (samples, ...); also on from a saved model.
  void reset_state();
  /// Throws StateError where there are a mean and a variance, but no count to weigh them by: they were given, or come
  /// from a file written before the count was.
  void update_state(const Tensor& batch);

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters() { return {{"mean", &mean}, {"variance", &variance}}; }
  void options(auto& visit) {
    visit("axis", axis);
    visit("invert", invert);
    visit("count", visit.reading() ? saved_count : count);
  }
};

}  // namespace cornu
