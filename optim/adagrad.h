#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu {

/// Adagrad (Duchi, Hazan and Singer, 2011), in Keras's form: v += g^2, w -= lr g / sqrt(v + epsilon).
/// PyTorch adds epsilon outside the root.
struct Adagrad {
  LearningRate learning_rate = 0.001;
  double initial_accumulator_value = 0.1;  ///< initial v
  double epsilon = 1e-7;
  double weight_decay = 0;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("initial_accumulator_value", initial_accumulator_value);
    visit("epsilon", epsilon);
    detail::visit_common_options(*this, visit);
  }

  static constexpr bool elementwise = true;

  void check() const;
  Index slot_count() const { return 1; }
  void begin(std::span<const View> state) const;
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

}  // namespace cornu
