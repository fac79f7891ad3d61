#include "cornu/optim/losses/loss_checks.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/optim/losses/mean_over_rows.h"

namespace cornu {

Var mean_squared_error(Var y_pred, ConstView y_true, const RegressionOptions& options) {
  detail::refuse_softmax_of_one("mean_squared_error", y_pred);
  return detail::mean_over_elements("mean_squared_error", y_pred, y_true, options.sample_weight,
                                    [](Real prediction, Real truth, Real& slope) {
                                      const Real difference = prediction - truth;
                                      slope = 2 * difference;
                                      return difference * difference;
                                    });
}

Tensor mean_squared_error(const Tensor& y_pred, ConstView y_true, const RegressionOptions& options) {
  return detail::eagerly(mean_squared_error, y_pred, y_true, options);
}

Var MeanSquaredError::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return mean_squared_error(y_pred, y_true, {sample_weight});
}

}  // namespace cornu
