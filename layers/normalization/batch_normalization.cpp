#include "cornu/layers/normalization/batch_normalization.h"

#include <array>
#include <cmath>

#include "cornu/core/error.h"

namespace cornu {

namespace {

/// Normalises x of shape (..., features).
Var normalized(const BatchNormalization& layer, Var x) {
  Tape& tape = x.tape();
  const Operand gain = layer.scale ? Operand(layer.gamma) : Operand(1);
  const Operand shift = layer.center ? Operand(layer.beta) : Operand(0);
  const bool frozen = layer.gamma.frozen || layer.beta.frozen || layer.moving_mean.frozen;
  if (!tape.training() || frozen) {
    return batch_normalization(x, layer.moving_mean, layer.moving_variance, gain, shift, layer.epsilon);
  }
  const BatchNormalized batch = batch_normalization(x, gain, shift, layer.epsilon);
  const auto update = [&](const Parameter& moving, Var value) {
    tape.record_update(moving, tape.parameter(moving) * layer.momentum + value * (1 - layer.momentum));
  };
  if (x.size() > 0) {  // an empty batch has no mean
    update(layer.moving_mean, batch.mean);
    update(layer.moving_variance, batch.variance);
  }
  return batch.y;
}

}  // namespace

Shape BatchNormalization::build(const Shape& input, Rng& rng) {
  require<ValueError>(momentum >= 0 && momentum <= 1, "BatchNormalization: momentum is {}; it must be in [0, 1]",
                      momentum);
  require<ValueError>(epsilon >= 0 && std::isfinite(epsilon),
                      "BatchNormalization: epsilon is {}; it must be finite and not negative", epsilon);
  const Index rank = input.rank() + 1, at = axis < 0 ? axis + rank : axis;
  require(0 < at && at < rank && input[at - 1] > 0,
          "BatchNormalization: axis is {}; for samples of shape {} it must be an axis of size 1 or more, other than "
          "the batch axis",
          axis, input);
  // Use temporaries: if an initializer throws, the layer is unchanged.
  const std::array<const Initializer*, 4> initializers{&gamma_initializer, &beta_initializer, &moving_mean_initializer,
                                                       &moving_variance_initializer};
  const std::array<bool, 4> wanted{scale, center, true, true};
  std::array<Tensor, 4> made;
  for (std::size_t i = 0; i < made.size(); ++i) {
    require<ValueError>(static_cast<bool>(*initializers[i]),
                        "BatchNormalization: an initializer is empty; use zeros or ones if in doubt");
    if (!wanted[i]) continue;
    made[i] = Tensor({input[at - 1]});
    (*initializers[i])(made[i], rng);
  }
  gamma.become(std::move(made[0]), gamma_regularizer, gamma_constraint);
  beta.become(std::move(made[1]), beta_regularizer, beta_constraint);
  moving_mean.value = std::move(made[2]);
  moving_variance.value = std::move(made[3]);
  return input;
}

Var BatchNormalization::forward(Var x) const {
  require<StateError>(
      !moving_mean.value.empty(),
      "BatchNormalization: used before it was built; call build(shape of a sample, rng), or put it into a model");
  const Index features = moving_mean.shape()[0], at = axis < 0 ? axis + x.rank() : axis;
  require(0 < at && at < x.rank() && x.shape()[at] == features,
          "BatchNormalization: an input of shape {}; axis {} must have size {} and not be the batch axis", x.shape(),
          axis, features);
  if (at == x.rank() - 1) return normalized(*this, x);
  const Shape s = x.shape();
  const Var parts = reshape(x, {s[0], s.sub(1, at).size(), features, s.sub(at + 1).size()});
  const Var y = normalized(*this, transpose(parts, {0, 1, 3, 2}));
  return reshape(transpose(y, {0, 1, 3, 2}), s);
}

NamedParameters BatchNormalization::parameters() {
  NamedParameters result;
  if (scale) result.push_back({"gamma", &gamma});
  if (center) result.push_back({"beta", &beta});
  result.push_back({"moving_mean", &moving_mean});
  result.push_back({"moving_variance", &moving_variance});
  return result;
}

}  // namespace cornu
