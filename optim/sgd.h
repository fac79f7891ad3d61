#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu {

/// Stochastic gradient descent, in Keras's form: w -= lr g.
/// With momentum: v = m v - lr g, w += v. With Nesterov momentum (Sutskever et al. 2013): the same v, w += m v - lr g.
/// PyTorch keeps lr out of v, so the two differ once the learning rate changes.
struct SGD {
  LearningRate learning_rate = 0.01;
  double momentum = 0;  ///< in [0, 1]
  bool nesterov = false;
  double weight_decay = 0;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("momentum", momentum);
    visit("nesterov", nesterov);
    detail::visit_common_options(*this, visit);
  }

  static constexpr bool elementwise = true;

  void check() const;
  bool is_gradient_descent() const { return momentum == 0; }
  Index slot_count() const { return momentum != 0 ? 1 : 0; }
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

}  // namespace cornu
