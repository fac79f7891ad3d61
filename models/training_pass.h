#pragma once

#include "cornu/core/tape.h"

namespace cornu {

/// One pass of training over some samples, with the memory that it keeps for the next one.
struct TrainingPass {
  Tape tape{Mode::training};
  Tensor x, y, sample_weight;  // of the samples, where the pass has to gather them itself
  Var y_pred;
  double loss = 0;      // with what layers have added to it
  double penalty = 0;   // on the parameters, once a step
  Gradients gradients;  // empty where the loss is not finite
};

}  // namespace cornu
