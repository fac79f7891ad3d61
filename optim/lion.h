#pragma once

#include "cornu/optim/optimizer.h"

namespace cornu {

/// Lion (Chen et al., 2023): w -= lr sign(beta_1 m + (1 - beta_1) g), then m = beta_2 m + (1 - beta_2) g.
/// Every element moves by lr: use a learning rate three to ten times smaller than AdamW's, and a weight decay larger by
/// the same factor.
struct Lion {
  LearningRate learning_rate = 0.001;
  double beta_1 = 0.9;   ///< in (0, 1]; with 0 the update would be the sign of the gradient alone
  double beta_2 = 0.99;  ///< in [0, 1)
  double weight_decay = 0;
  double clipnorm = 0, clipvalue = 0, global_clipnorm = 0;

  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("beta_1", beta_1);
    visit("beta_2", beta_2);
    detail::visit_common_options(*this, visit);
  }

  static constexpr bool elementwise = true;

  void check() const;
  Index slot_count() const { return 1; }
  void update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const;
};

}  // namespace cornu
