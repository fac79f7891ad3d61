#include "cornu/models/callbacks/reduce_lr_on_plateau.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/models/callbacks/settable_rate.h"
#include "cornu/models/sequential.h"

namespace cornu {

void ReduceLROnPlateau::on_train_begin(Run& run, Logs&) {
  require<ValueError>(factor > 0 && factor < 1, "ReduceLROnPlateau: factor is {}; it must lie between 0 and 1", factor);
  require<ValueError>(min_lr >= 0, "ReduceLROnPlateau: min_lr is {}; it must not be negative", min_lr);
  detail::require_settable_rate("ReduceLROnPlateau", run.model.optimizer());
  best = detail::worst(detail::is_to_grow("ReduceLROnPlateau", monitor, mode, run));
  wait = cooldown_counter = 0;
}

void ReduceLROnPlateau::on_epoch_end(Run& run, Index epoch, Logs& logs) {
  Optimizer& optimizer = run.model.optimizer();
  const double rate = optimizer.learning_rate();
  logs.set("learning_rate", rate);
  const double* value = detail::monitored("ReduceLROnPlateau", monitor, run, epoch, logs);
  if (value == nullptr) return;
  if (cooldown_counter > 0) {
    --cooldown_counter;
    wait = 0;
  }
  if (detail::improves(*value, best, min_delta, detail::is_to_grow("ReduceLROnPlateau", monitor, mode, run))) {
    best = *value;
    wait = 0;
  } else if (cooldown_counter == 0 && ++wait >= patience && rate > min_lr) {
    detail::require_settable_rate("ReduceLROnPlateau",
                                  optimizer);  // again: a callback may have recompiled the model
    optimizer.set_learning_rate(std::max(rate * factor, min_lr));
    cooldown_counter = cooldown;
    wait = 0;
  }
}

}  // namespace cornu
