#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu {

/// RMSprop (Hinton, 2012), in Keras's form:
///   v = rho v + (1 - rho) g^2, w -= lr g / sqrt(v + epsilon)
/// With `centered`, a = rho a + (1 - rho) g, and the divisor is sqrt(v - a^2 + epsilon) (Graves, 2013).
/// With momentum, b = momentum b + lr g / divisor, and w -= b.
/// PyTorch adds epsilon outside the root and keeps lr out of b.
struct RMSprop {
  LearningRate learning_rate = 0.001;
  double rho = 0.9;     ///< in [0, 1)
  double momentum = 0;  ///< in [0, 1)
  double epsilon = 1e-7;
  bool centered = false;
  double weight_decay = 0;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("rho", rho);
    visit("momentum", momentum);
    visit("epsilon", epsilon);
    visit("centered", centered);
    detail::visit_common_options(*this, visit);
  }

  static constexpr bool elementwise = true;

  void check() const;
  Index slot_count() const { return 1 + (centered ? 1 : 0) + (momentum != 0 ? 1 : 0); }  // v, a and b
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

}  // namespace cornu
