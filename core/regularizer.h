#pragma once

#include "cornu/core/compiler.h"

namespace cornu {

class Var;

/// Penalties on large weights or layer outputs. Set as an option of a layer:
///     Dense{.units = 8, .kernel_regularizer = L2{0.001}}
/// Defaults are Keras's.
struct L1 {
  double l1 = 0.01;
};
struct L2 {
  double l2 = 0.01;
};
struct L1L2 {
  double l1 = 0, l2 = 0;
};

/// Any of the above: the penalty l1 sum |x| + l2 sum x^2. False if both factors are 0.
struct Regularizer {
  double l1 = 0, l2 = 0;

  Regularizer() = default;
  /// All throw ValueError if a factor is negative or not finite.
  Regularizer(L1 only) : Regularizer(L1L2{only.l1, 0}) {}
  Regularizer(L2 only) : Regularizer(L1L2{0, only.l2}) {}
  Regularizer(L1L2 both);

  explicit operator bool() const { return l1 != 0 || l2 != 0; }
  /// The penalty, a scalar.
  Var operator()(Var x) const;
  /// For layer outputs: adds the penalty, divided by the batch size as in Keras, to the loss of the pass (0 for an
  /// empty batch). Returns y.
  Var add_loss(Var y) const;

  void options(auto& visit) {
    visit("l1", l1);
    visit("l2", l2);
  }
};

}  // namespace cornu
