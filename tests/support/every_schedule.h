#pragma once

#include <vector>

#include "cornu/optim/schedule.h"

namespace cornu::testing {

/// A schedule of each type, with options other than the defaults.
inline const std::vector<LearningRate>& every_schedule() {
  static const std::vector<LearningRate> rows{
      CosineDecay{0.1, 7, 0.2, 0.5, 3},
      CosineDecayRestarts{0.1, 7, 3, 0.5, 0.1},
      ExponentialDecay{0.1, 7, 0.5, true},
      InverseTimeDecay{0.1, 7, 0.5, true},
      LinearWarmup{.learning_rate = CosineDecay{0.1, 7}, .warmup_steps = 4, .initial_learning_rate = 0.01},
      OneCycle{0.1, 20, 0.25, 10, 100},
      PiecewiseConstantDecay{{2, 4}, {0.1, 0.2, 0.3}},
      PolynomialDecay{0.1, 7, 0.01, 2, true},
  };
  return rows;
}

}  // namespace cornu::testing
