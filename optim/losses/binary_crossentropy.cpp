#include <algorithm>
#include <cmath>

#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/option_checks.h"
#include "cornu/optim/losses/clipped_probability.h"
#include "cornu/optim/losses/loss_checks.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/optim/losses/mean_over_rows.h"

namespace cornu {

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
    return detail::mean_over_elements(name, logits, y_true, options.sample_weight,
                                      [=](Real z, Real truth, Real& slope) {
                                        const Real y = kept * truth + rest, e = math::exp(-std::abs(z));
                                        slope = (z >= 0 ? Real{1} : e) / (1 + e) - y;
                                        return std::max(z, Real{0}) - z * y + math::log1p(e);
                                      });
  }
  const Var loss =
      detail::mean_over_elements(name, y_pred, y_true, options.sample_weight, [=](Real p, Real truth, Real& slope) {
        const Real y = kept * truth + rest, q = detail::clipped(p);
        slope = detail::is_clipped(p) ? Real{0} : (q - y) / (q * (1 - q));
        return -(y * math::log(q) + (1 - y) * math::log1p(-q));
      });
  return detail::keep_infinities(loss, y_pred.value());
}

Tensor binary_crossentropy(const Tensor& y_pred, ConstView y_true, const BinaryOptions& options) {
  return detail::eagerly(binary_crossentropy, y_pred, y_true, options);
}

Var BinaryCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return binary_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

}  // namespace cornu
