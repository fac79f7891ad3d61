#include "cornu/layers/normalization/batch_normalization.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "cornu/core/communicator.h"
#include "cornu/core/error.h"
#include "cornu/core/ops/masks.h"
#include "cornu/core/option_checks.h"
#include "cornu/layers/build_checks.h"
#include "cornu/layers/new_parameter.h"
#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

namespace {

Operand gain_of(const BatchNormalization& layer) { return layer.scale ? Operand(layer.gamma) : Operand(1); }
Operand shift_of(const BatchNormalization& layer) { return layer.center ? Operand(layer.beta) : Operand(0); }

Index count_of(Var mask) { return static_cast<Index>(std::count(mask.value().begin(), mask.value().end(), Real{1})); }

void sum_over_ranks(Communicator& ranks, ConstView own, View sum) {
  std::vector<Real> all(static_cast<std::size_t>(own.size() * ranks.size()));
  ranks.all_gather(std::as_bytes(std::span(own.begin(), own.end())), std::as_writable_bytes(std::span(all)));
  std::fill(sum.begin(), sum.end(), Real{0});
  for (std::size_t i = 0; i < all.size(); ++i) sum[static_cast<Index>(i) % sum.size()] += all[i];
}

/// The sum of x over the ranks, or x if `ranks` is null. The loss is the sum over the ranks, and so is its gradient.
Var summed(Var x, Communicator* ranks) {
  if (ranks == nullptr) return x;
  const Var y = x.tape().output(x.shape(), {x});
  sum_over_ranks(*ranks, x.value(), y.out());
  return y.backward([x, y, ranks] {
    const View sum = x.tape().scratch(x.shape());
    sum_over_ranks(*ranks, y.grad(), sum);
    const Sink dx = x.sink();
    for (Index i = 0; i < dx.size(); ++i) dx.data()[i] = (dx.accumulates() ? dx.data()[i] : 0) + sum[i];
  });
}

/// Batch statistics and y of x, (batch, steps, ..., features): of the steps that count, unless `mask` is empty, and of
/// all ranks, unless `ranks` is null.
BatchNormalized of_parts(Var x, Var mask, Communicator* ranks, const Operand& gain, const Operand& shift,
                         double epsilon) {
  const Shape& s = x.shape();
  const Var plain = with_mask(x, {});
  Var counts;
  if (mask) {
    std::array<Index, Shape::max_rank> ones{s[0], s[1]};
    std::fill(ones.begin() + 2, ones.end(), Index{1});
    counts = reshape(mask, std::span<const Index>(ones.data(), static_cast<std::size_t>(s.rank())));
  }
  const Index own_rows = mask ? count_of(mask) * s.sub(2, s.rank() - 1).size() : s.size() / s[-1];
  const auto rows = static_cast<double>(summed(x.tape().constant(static_cast<Real>(own_rows)), ranks).item());
  const auto counted = [&](Var values) { return mask ? values * counts : values; };
  const auto mean_of = [&](Var values) { return summed(sum(reshape(values, {-1, s[-1]}), 0), ranks) / rows; };
  const Var mean = mean_of(counted(plain)), variance = mean_of(square(counted(plain - mean)));
  const Var y = batch_normalization(plain, mean, variance, gain, shift, epsilon);
  return {mask ? with_mask(y, mask) : y, mean, variance};
}

/// Normalises x of shape (..., features).
Var normalized(const BatchNormalization& layer, Var x) {
  Tape& tape = x.tape();
  const Operand gain = gain_of(layer), shift = shift_of(layer);
  const bool frozen = layer.gamma.frozen || layer.beta.frozen || layer.moving_mean.frozen;
  if (!tape.training() || frozen) {
    return batch_normalization(x, layer.moving_mean, layer.moving_variance, gain, shift, layer.epsilon);
  }
  const Var mask = x.rank() > 2 ? x.mask() : Var();
  Communicator* const ranks = layer.synchronized ? tape.communicator() : nullptr;
  const bool any = x.size() > 0 && (!mask || count_of(mask) > 0);
  const BatchNormalized batch = ranks != nullptr || (mask && any) ? of_parts(x, mask, ranks, gain, shift, layer.epsilon)
                                                                  : batch_normalization(x, gain, shift, layer.epsilon);
  const auto update = [&](const Parameter& moving, Var value) {
    tape.record_update(moving, tape.parameter(moving) * layer.momentum + value * (1 - layer.momentum));
  };
  if (any) {  // an empty batch has no mean
    update(layer.moving_mean, batch.mean);
    update(layer.moving_variance, batch.variance);
  }
  return batch.y;
}

}  // namespace

Shape BatchNormalization::build(const Shape& input, Rng& rng) {
  detail::require_fraction("BatchNormalization", "momentum", momentum);
  require<ValueError>(epsilon >= 0 && std::isfinite(epsilon),
                      "BatchNormalization: epsilon is {}; it must be finite and not negative", epsilon);
  const Index rank = input.rank() + 1, at = axis < 0 ? axis + rank : axis;
  require(0 < at && at < rank && input[at - 1] > 0,
          "BatchNormalization: axis is {}; for samples of shape {} it must be an axis of size 1 or more, other than "
          "the batch axis",
          axis, input);
  for (const Initializer* each :
       {&gamma_initializer, &beta_initializer, &moving_mean_initializer, &moving_variance_initializer}) {
    require<ValueError>(static_cast<bool>(*each),
                        "BatchNormalization: an initializer is empty; use zeros or ones if in doubt");
  }
  const Shape features{input[at - 1]};
  detail::create_parameters(
      {{gamma, detail::shape_if(scale, features), gamma_initializer, gamma_regularizer, gamma_constraint},
       {beta, detail::shape_if(center, features), beta_initializer, beta_regularizer, beta_constraint},
       {moving_mean, features, moving_mean_initializer, moving_mean.regularizer, moving_mean.constraint},
       {moving_variance, features, moving_variance_initializer, moving_variance.regularizer,
        moving_variance.constraint}},
      rng);
  return input;
}

Var BatchNormalization::forward(Var x) const {
  detail::require_built("BatchNormalization", !moving_mean.value.empty());
  const Index features = moving_mean.shape()[0], at = axis < 0 ? axis + x.rank() : axis;
  require(0 < at && at < x.rank() && x.shape()[at] == features,
          "BatchNormalization: an input of shape {}; axis {} must have size {} and not be the batch axis", x.shape(),
          axis, features);
  if (at == x.rank() - 1) return normalized(*this, x);
  const Shape s = x.shape();
  return composite(x.tape(), {"batch_normalization_along", {{"axis", at}, {"epsilon", epsilon}}},
                   {x, moving_mean, moving_variance, gain_of(*this), shift_of(*this)}, [&] {
                     const Var parts = reshape(x, {s[0], s.sub(1, at).size(), features, s.sub(at + 1).size()});
                     const Var y = normalized(*this, transpose(parts, {0, 1, 3, 2}));
                     return reshape(transpose(y, {0, 1, 3, 2}), s);
                   });
}

NamedParameters BatchNormalization::parameters() {
  NamedParameters result;
  if (scale) result.push_back({"gamma", &gamma});
  if (center) result.push_back({"beta", &beta});
  result.push_back({"moving_mean", &moving_mean});
  result.push_back({"moving_variance", &moving_variance});
  return result;
}

void BatchNormalization::pytorch(PyTorchModule& module) {
  module.add_scale_and_shift(scale ? &gamma : nullptr, center ? &beta : nullptr, moving_mean.value.size());
  module.add_features("running_mean", moving_mean, module.in);
  module.add_features("running_var", moving_variance, module.in);
  module.add_special("num_batches_tracked", {}, PyTorchModule::Use::ignored);
}

}  // namespace cornu
