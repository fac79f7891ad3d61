#pragma once

#include <string>

#include "cornu/models/callbacks/monitor.h"

namespace cornu {

/// Multiplies the learning rate by `factor` whenever `monitor` has not improved by more than min_delta for `patience`
/// epochs, down to min_lr; the next `cooldown` epochs are not counted. Logs each epoch's rate as "learning_rate". As in
/// Keras. It may be used for several calls of fit; each call resets it.
/// Throws ValueError for an optimizer whose learning rate is a schedule, for a factor that is not between 0 and 1, for
/// a negative min_lr, and, listing the names, after the first epoch whose logs lack `monitor`.
struct ReduceLROnPlateau {
  using Mode = MonitorMode;
  using enum MonitorMode;

  std::string monitor = "val_loss";
  double factor = 0.1;
  Index patience = 10;
  Mode mode = automatic;
  double min_delta = 1e-4;
  Index cooldown = 0;
  double min_lr = 0;

  // State.
  double best = 0;
  Index wait = 0, cooldown_counter = 0;

  void on_train_begin(Run& run, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
  void state(auto& visit) {
    visit("best", best);
    visit("wait", wait);
    visit("cooldown_counter", cooldown_counter);
  }
};

}  // namespace cornu
