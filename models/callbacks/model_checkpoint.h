#pragma once

#include <optional>
#include <string>

#include "cornu/models/callbacks/monitor.h"

namespace cornu {

/// Saves the model, or only its weights, after each epoch or every `save_freq` batches, as in Keras:
///     ModelCheckpoint{.filepath = "best/{epoch:02d}-{val_loss:.4f}.safetensors", .save_best_only = true}
/// Fields in braces: epoch and batch, from 1, and all names in the logs, with fmt's format specifications (similar to
/// Python's). Missing folders are created. Throws ValueError for a field or a `monitor` that the logs do not have,
/// listing the names available, and whatever Sequential::save throws.
struct ModelCheckpoint {
  using enum MonitorMode;

  std::string filepath;
  std::string monitor = "val_loss";
  bool save_best_only = false;  ///< only if `monitor` is better than at every earlier save
  bool save_weights_only = false;
  MonitorMode mode = automatic;
  Index save_freq = 0;                              ///< in batches; 0: every epoch
  std::optional<double> initial_value_threshold{};  ///< the first save must be better than this

  // Results.
  double best = 0;
  std::string last_saved{};  ///< path of the last file saved, with the fields of filepath filled in

  void state(auto& visit) {
    visit("best", best);
    visit("last_saved", last_saved);
  }
  void on_train_begin(Run& run, Logs& logs);
  void on_train_batch_end(Run& run, Index batch, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
};

}  // namespace cornu
