#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu {

/// LAMB (You et al., 2020), for large batches: a step of Adam, scaled for each parameter so that its norm is the
/// learning rate times the norm of the parameter. As in Keras. Step t = 1, 2, ...:
///   m += (1 - beta_1) (g - m), v += (1 - beta_2) (g^2 - v)
///   u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)
///   w -= lr |w| / |u| u, with 1 instead of |w| / |u| if one of them is 0
/// Weight decay is decoupled, as in Keras; the paper adds it to u.
struct Lamb {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;    ///< decay of m, in [0, 1)
  double beta_2 = 0.999;  ///< decay of v, in [0, 1)
  double epsilon = 1e-7;
  double weight_decay = 0;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("beta_1", beta_1);
    visit("beta_2", beta_2);
    visit("epsilon", epsilon);
    detail::visit_common_options(*this, visit);
  }

  void check() const;
  Index slot_count() const { return 2; }  // m and v
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

}  // namespace cornu
