#include "cornu/optim/losses/losses.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/optim/losses/loss_checks.h"
#include "cornu/optim/losses/mean_over_rows.h"

namespace cornu::detail {

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

}  // namespace cornu::detail
