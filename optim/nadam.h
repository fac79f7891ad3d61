#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu {

/// Adam with Nesterov momentum (Dozat, 2015), in Keras's form: the momentum u grows to beta_1. Step t = 1, 2, ...:
///   u_t = beta_1 (1 - 0.96^t / 2), U_t = u_1 ... u_t
///   m += (1 - beta_1) (g - m), v += (1 - beta_2) (g^2 - v)
///   w -= lr (u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)
/// PyTorch's NAdam is the same with momentum_decay = 1; with its default of 0.004, u grows more slowly.
struct Nadam {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
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

  static constexpr bool elementwise = true;

  void check() const;
  Index slot_count() const { return 2; }  // m and v
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

}  // namespace cornu
