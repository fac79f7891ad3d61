#pragma once

#include <vector>

#include "cornu/layers/layer.h"

namespace cornu {

/// y = (x - mean) / max(sqrt(variance), 1e-7), with a mean and a (biased) variance that are not trained, but given or
/// computed from data by `adapt`. With `invert`, the inverse: y = x max(sqrt(variance), 1e-7) + mean.
/// Input: (batch, ...). Output: the same shape. mean, variance: the sizes of the axes in `axis`, or a shape that
/// broadcasts to them.
/// As in Keras, `axis` counts the batch axis. It lists the axes that keep a separate mean per index; {} means one mean
/// for all elements. Before `adapt`, the mean is 0 and the variance 1.
/// Throws ShapeError for axes that are out of range, repeated or the batch axis, and if the sizes of mean, variance and
/// input do not match; ValueError if only one of mean and variance is given, and for an invalid count; StateError if
/// the layer is not built.
struct Normalization {
  static constexpr LayerTraits traits{.keeps_features = true, .keras_counter = "count"};

  std::vector<Index> axis{-1};
  Parameter mean{{}, false}, variance{{}, false};
  bool invert = false;
  Index count = 0;        ///< samples that mean and variance were computed from; 0: none yet, or unknown
  Index saved_count = 0;  ///< read from a file; moved to `count` by `build`

  /// Replaces mean and variance by those of `data`, (samples, ...). Throws ShapeError for no samples.
  void adapt(const Tensor& data);
  /// `adapt` in parts: call reset_state, then update_state for each batch, (samples, ...). Also continues a loaded
  /// model.
  void reset_state();
  /// Throws StateError if mean and variance were given without a count, or read from a file that does not have one.
  void update_state(const Tensor& batch);

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters() { return {{"mean", &mean}, {"variance", &variance}}; }
  void pytorch(PyTorchModule& module);
  void options(auto& visit) {
    visit("axis", axis);
    visit("invert", invert);
    visit("count", visit.reading() ? saved_count : count);
  }
};

}  // namespace cornu
