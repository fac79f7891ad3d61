#include "cornu/layers/normalization/normalization.h"

#include <algorithm>
#include <string>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

namespace {

constexpr Index most_samples = Index{1} << 53;  // the largest count up to which a double holds every integer

/// Formats axes for a message, only when there is one.
struct Axes {
  std::span<const Index> numbers;
};

std::string to_string(const Axes& axes) { return cornu::to_string(axes.numbers); }

/// The shape of a batch with every axis reduced to 1 except those in `axis`.
Shape kept_of(const std::vector<Index>& axis, const Shape& batch) {
  Shape kept = batch;
  for (Index at = 0; at < batch.rank(); ++at) kept = kept.with(at, 1);
  for (const Index a : axis) {
    const Index at = a < 0 ? a + batch.rank() : a;
    require(0 < at && at < batch.rank() && std::count(axis.begin(), axis.end(), a) == 1 &&
                (a == at || std::count(axis.begin(), axis.end(), at) == 0),
            "Normalization: axis is {}; distinct axes of samples of shape {}, other than the batch axis, are required",
            Axes{axis}, batch.rank() > 0 ? batch.sub(1) : batch);
    kept = kept.with(at, batch[at]);
  }
  return kept;
}

/// The sizes of the kept axes, in the order of the batch's axes.
Shape lengths_of(const std::vector<Index>& axis, const Shape& batch) {
  Shape lengths;
  for (Index at = 1; at < batch.rank(); ++at) {
    const bool kept = std::any_of(axis.begin(), axis.end(), [&](Index a) { return a == at || a + batch.rank() == at; });
    if (kept) lengths = lengths.inserted(lengths.rank(), batch[at]);
  }
  return lengths;
}

/// Broadcasts a given mean or variance to the sizes of the axes.
Tensor spread(const Tensor& given, const Shape& lengths) {
  bool fits = given.rank() <= lengths.rank();
  for (Index i = 1; fits && i <= given.rank(); ++i) {
    fits = given.shape()[-i] == 1 || given.shape()[-i] == lengths[-i];
  }
  require(fits,
          "Normalization: the mean or variance has shape {}, but the axes have sizes {}. A layer that has both keeps "
          "them: adapt it to other data, or call reset_parameters(layer) first",
          given.shape(), lengths);
  Tensor result(lengths);
  Broadcast(lengths, given.shape(), lengths).each([&](Index i, Index, Index from) { result[i] = given[from]; });
  return result;
}

}  // namespace

Shape Normalization::build(const Shape& input, Rng&) {
  for (const Index samples : {count, saved_count}) {
    require<ValueError>(samples >= 0 && samples <= most_samples, "Normalization: count is {}; it must be from 0 to {}",
                        samples, most_samples);
  }
  kept_of(axis, input.batched(1));
  require<ValueError>(mean.value.empty() == variance.value.empty(),
                      "Normalization: only the {} is given; give the {} as well, or neither",
                      mean.value.empty() ? "variance" : "mean", mean.value.empty() ? "mean" : "variance");
  const Shape lengths = lengths_of(axis, input.batched(1));
  const bool given = !mean.value.empty();
  Tensor new_mean = given ? spread(mean.value, lengths) : Tensor(lengths);
  Tensor new_variance = given ? spread(variance.value, lengths) : Tensor::full(lengths, 1);
  mean = {std::move(new_mean), false};
  variance = {std::move(new_variance), false};
  if (!given) count = std::exchange(saved_count, 0);
  return input;
}

void Normalization::reset_state() {
  mean.value = variance.value = Tensor();
  count = 0;
}

void Normalization::adapt(const Tensor& data) {
  reset_state();
  update_state(data);
}

void Normalization::update_state(const Tensor& batch) {
  const Shape& shape = batch.shape();
  require(shape.rank() > 0 && !shape.empty(),
          "Normalization: data of shape {}; (samples, ...) with at least one sample is required", shape);
  const Shape kept = kept_of(axis, shape), lengths = lengths_of(axis, shape);
  if (mean.value.empty()) count = 0;  // after reset_state
  const bool is_initial = std::all_of(mean.value.begin(), mean.value.end(), [](Real m) { return m == 0; }) &&
                          std::all_of(variance.value.begin(), variance.value.end(), [](Real v) { return v == 1; });
  require<StateError>(count > 0 || is_initial,
                      "Normalization: update_state needs the number of samples behind the given mean and variance; set "
                      "count, or call reset_state first");
  require(count == 0 || mean.shape() == lengths,
          "Normalization: data of shape {} does not match earlier data, whose means have shape {}", shape,
          mean.shape());
  if (count == 0) {
    mean = {Tensor(lengths), false};
    variance = {Tensor(lengths), false};
  }
  const Broadcast places(shape, kept, shape);
  std::vector<double> means(static_cast<std::size_t>(kept.size())), squares(means.size());
  const double each = static_cast<double>(kept.size()) / static_cast<double>(shape.size());
  places.each([&](Index i, Index, Index at) { means[static_cast<std::size_t>(at)] += static_cast<double>(batch[i]); });
  for (double& total : means) total *= each;
  places.each([&](Index i, Index, Index at) {
    const double from_mean = static_cast<double>(batch[i]) - means[static_cast<std::size_t>(at)];
    squares[static_cast<std::size_t>(at)] += from_mean * from_mean;
  });
  // Combines the previous statistics with this batch's (Chan, Golub and LeVeque, 1979).
  count += shape[0];
  const double part = static_cast<double>(shape[0]) / static_cast<double>(count);
  for (std::size_t at = 0; at < means.size(); ++at) {
    const auto j = static_cast<Index>(at);
    const double apart = means[at] - static_cast<double>(mean.value[j]);
    const double inside = static_cast<double>(variance.value[j]) * (1 - part) + squares[at] * each * part;
    mean.value[j] += static_cast<Real>(apart * part);
    variance.value[j] = static_cast<Real>(inside + apart * apart * part * (1 - part));
  }
}

Var Normalization::forward(Var x) const {
  require<StateError>(
      !mean.value.empty(),
      "Normalization: used before it was built; adapt it, call build(shape of a sample, rng), or put it into a model");
  const Shape kept = kept_of(axis, x.shape());
  require(lengths_of(axis, x.shape()) == mean.shape(), "Normalization: an input of shape {}; its axes {} must be {}",
          x.shape(), Axes{axis}, mean.shape());
  Tape& tape = x.tape();
  const Var centre = reshape(tape.parameter(mean), kept);
  const Var width = maximum(sqrt(reshape(tape.parameter(variance), kept)), 1e-7);
  return invert ? x * width + centre : (x - centre) / width;
}

// PyTorch has no such module; the layer has one element per feature.
void Normalization::pytorch(PyTorchModule& module) {
  module.add_features("mean", mean, module.in);
  module.add_features("variance", variance, module.in);
}

}  // namespace cornu
