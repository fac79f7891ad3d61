#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "cornu/datasets/dataset.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/models/metrics/metrics.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/tensors.h"

namespace cornu::testing {

using Texts = std::vector<std::string>;
using Weights = std::vector<Parameter>;

inline Logs logs_of(std::initializer_list<Logs::Entry> entries) {
  Logs logs;
  for (const Logs::Entry& entry : entries) logs.set(entry.name, entry.value);
  return logs;
}

/// A metric's result for one batch.
template <class M>
double result_of(M metric, const Tensor& y_true, const Tensor& y_pred) {
  metric.update(y_true, y_pred);
  return metric.result();
}

inline Texts parameter_names(const Sequential& model) {
  Texts names;
  for (const auto& [name, parameter] : model.parameters()) names.push_back(name);
  return names;
}

/// A copy of the model's weights.
inline Weights weights_of(const Sequential& model) {
  Weights weights;
  for (const Tensor& weight : model.get_weights()) weights.push_back({weight});
  return weights;
}

/// Labels 0, 1, ..., classes - 1, 0, 1, ...
inline Tensor labels(Index samples, Index classes = 3) {
  Tensor result(Shape{samples});
  for (Index i = 0; i < samples; ++i) result[i] = static_cast<Real>(i % classes);
  return result;
}

/// Points around the corners of a triangle, well separated.
inline TensorDataset blobs(Index samples, std::uint64_t seed = 3) {
  constexpr std::array<Real, 6> corners{0, 2, -2, -1, 2, -1};
  Tensor x({samples, 2});
  Rng rng(seed);
  for (Index i = 0; i < samples; ++i) {
    for (Index k = 0; k < 2; ++k)
      x[2 * i + k] = corners[static_cast<std::size_t>(2 * (i % 3) + k)] + rng.normal(0, Real(0.4));
  }
  return {std::move(x), labels(samples)};
}

/// A classifier of the blobs.
inline Sequential classifier(AnyOptimizer optimizer = SGD{.learning_rate = 0.1}) {
  Sequential model{Input{2}, Dense{8, relu}, Dense{3}, Softmax{}};
  model.compile({.optimizer = std::move(optimizer), .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  return model;
}

/// y = w x + b, with weights that can be computed by hand.
inline Sequential line_model(AnyOptimizer optimizer = SGD{.learning_rate = 0.1}) {
  Sequential model{Input{1}, Dense{1}};
  model.compile({.optimizer = std::move(optimizer), .loss = MeanSquaredError{}});
  return model;
}

/// A layer without state whose weight is a number: y = x * weight.
struct Scale {
  Parameter weight{};

  Shape build(const Shape& input, Rng& rng) {
    weight.value = Tensor::scalar(rng.uniform());
    return input;
  }
  Var forward(Var x) const { return x * weight; }
  NamedParameters parameters() { return {{"weight", &weight}}; }
};

/// Throws for every input.
struct Refusing {
  Shape build(const Shape&, Rng&) { throw ValueError("it never fits"); }
  Var forward(Var x) const { return x; }
};

}  // namespace cornu::testing
