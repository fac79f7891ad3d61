#pragma once

#include <string>

#include "cornu/models/callbacks/monitor.h"

namespace cornu {

/// Multiplies the learning rate by `factor` whenever `monitor` has not improved by more than min_delta for `patience`
/// epochs, down to min_lr; `cooldown` epochs after that count for nothing. Puts the rate of each epoch in the logs as
/// "learning_rate". As in Keras. May be used for one fit after another, and begins anew with each.
/// Throws ValueError for an optimizer whose learning rate is a schedule, for a factor that is not between 0 and 1, for
/// a negative min_lr, and, listing the names there are, after the first epoch whose logs have no `monitor`.
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

  // What it remembers meanwhile.
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
