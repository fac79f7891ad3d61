#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu {

namespace detail {

/// The options of Adam and AdamW.
template <class R>
void visit_adam_options(R& rule, auto& visit) {
  visit("learning_rate", rule.learning_rate);
  visit("beta_1", rule.beta_1);
  visit("beta_2", rule.beta_2);
  visit("epsilon", rule.epsilon);
  visit("amsgrad", rule.amsgrad);
  visit_common_options(rule, visit);
}

}  // namespace detail

/// Adam (Kingma and Ba, 2015), in Keras's "epsilon hat" form (end of the paper's section 2). Step t = 1, 2, ...:
///   m += (1 - beta_1) (g - m), v += (1 - beta_2) (g^2 - v)
///   w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)
/// With amsgrad (Reddi, Kale and Kumar, 2018) the last line uses the largest v so far.
/// The paper's Algorithm 1 and PyTorch add epsilon to sqrt(v / (1 - beta_2^t)) instead, where the same epsilon has less
/// effect in the first steps.
struct Adam {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;    ///< decay of m, in [0, 1)
  double beta_2 = 0.999;  ///< decay of v, in [0, 1)
  double epsilon = 1e-7;
  bool amsgrad = false;
  double weight_decay = 0;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) { detail::visit_adam_options(*this, visit); }

  static constexpr bool elementwise = true;

  void check() const;
  Index slot_count() const { return amsgrad ? 3 : 2; }  // m, v and the largest v
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019). All rules here decouple it; AdamW differs from Adam
/// only in the default of weight_decay.
struct AdamW {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  bool amsgrad = false;
  double weight_decay = 0.004;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) { detail::visit_adam_options(*this, visit); }

  static constexpr bool elementwise = true;

  void check() const;
  Index slot_count() const { return amsgrad ? 3 : 2; }
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

}  // namespace cornu
