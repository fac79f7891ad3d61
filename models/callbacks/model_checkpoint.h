#pragma once

#include <optional>
#include <string>

#include "cornu/models/callbacks/monitor.h"

namespace cornu {

/// Saves the model, or its weights alone, after each epoch or every save_freq batches, as in Keras:
///     ModelCheckpoint{.filepath = "best/{epoch:02d}-{val_loss:.4f}.safetensors", .save_best_only = true}
/// Placeholders: epoch and batch, from 1, and every name in the logs, with fmt's format specifications (nearly
/// Python's). Missing folders are created.
/// Throws ValueError, listing the names, if the logs lack a placeholder or `monitor`; otherwise throws as
/// Sequential::save.
struct ModelCheckpoint {
  using enum MonitorMode;

  std::string filepath;
  std::string monitor = "val_loss";
  bool save_best_only = false;  ///< save only if `monitor` improves on its best value so far
  bool save_weights_only = false;
  MonitorMode mode = automatic;
  Index save_freq = 0;                              ///< batches between saves; 0: after each epoch
  std::optional<double> initial_value_threshold{};  ///< with save_best_only: the initial best value

  // Results.
  double best = 0;
  std::string last_saved{};  ///< path of the last file, with the placeholders filled in

  void state(auto& visit) {
    visit("best", best);
    visit("last_saved", last_saved);
  }
  void on_train_begin(Run& run, Logs& logs);
  void on_train_batch_end(Run& run, Index batch, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
};

}  // namespace cornu
