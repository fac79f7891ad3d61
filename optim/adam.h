#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu {

/// Adam (Kingma and Ba, 2015), in Keras's "epsilon hat" form, the one before the paper's section 2.1; in step t = 1,
/// ...
///   m += (1 - beta_1) (g - m), v += (1 - beta_2) (g^2 - v)
///   w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)
/// With amsgrad (Reddi, Kale and Kumar, 2018) the largest v so far stands in the last line. The paper's Algorithm 1,
/// and PyTorch, add epsilon to sqrt(v / (1 - beta_2^t)): in their first steps an epsilon weighs less than the same one
/// here.
struct Adam {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;    ///< how much of m a step keeps, in [0, 1)
  double beta_2 = 0.999;  ///< the same for v
  double epsilon = 1e-7;
  bool amsgrad = false;
  double weight_decay = 0;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("beta_1", beta_1);
    visit("beta_2", beta_2);
    visit("epsilon", epsilon);
    visit("amsgrad", amsgrad);
    visit("weight_decay", weight_decay);
    visit("clipnorm", clipnorm);
    visit("clipvalue", clipvalue);
    visit("global_clipnorm", global_clipnorm);
  }

  static constexpr bool elementwise = true;

  void check() const;
  Index slot_count() const { return amsgrad ? 3 : 2; }  // m, v and the largest v
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

/// Adam with weight decay, which every rule here keeps apart from the gradient (Loshchilov and Hutter, 2019). Only the
/// default is another.
struct AdamW {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;
  double beta_2 = 0.999;
  double epsilon = 1e-7;
  bool amsgrad = false;
  double weight_decay = 0.004;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("beta_1", beta_1);
    visit("beta_2", beta_2);
    visit("epsilon", epsilon);
    visit("amsgrad", amsgrad);
    visit("weight_decay", weight_decay);
    visit("clipnorm", clipnorm);
    visit("clipvalue", clipvalue);
    visit("global_clipnorm", global_clipnorm);
  }

  static constexpr bool elementwise = true;

  void check() const;
  Index slot_count() const { return amsgrad ? 3 : 2; }
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

}  // namespace cornu
