#pragma once

#include <string>

#include "cornu/models/callbacks/monitor.h"

namespace cornu {

/// Multiplies the learning rate by `factor` when `monitor` has not improved by more than min_delta for `patience`
/// epochs, but not below min_lr. The next `cooldown` epochs are then not counted. Logs each epoch's rate as
/// "learning_rate". As in Keras. It can be reused; every fit resets it.
/// Throws ValueError for an optimizer whose learning rate is a schedule, for a factor outside (0, 1), for a negative
/// min_lr, and after the first epoch whose logs lack `monitor`, listing the names available.
struct ReduceLROnPlateau {
  static constexpr bool on_every_rank = true;

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
