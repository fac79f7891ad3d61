#pragma once

#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Validates, evaluates and predicts with the optimizer's moving averages of the weights (use_ema), and restores the
/// weights afterwards. Throws StateError if the optimizer keeps no averages. Keras's swap_on_epoch, which leaves the
/// averages in the model during the end of an epoch, is not supported.
struct SwapEMAWeights {
  void on_test_begin(Run& run, Logs& logs) const;
  void on_test_end(Run& run, Logs& logs) const;
  void on_predict_begin(Run& run, Logs& logs) const;
  void on_predict_end(Run& run, Logs& logs) const;
};

}  // namespace cornu
