#pragma once

#include <optional>
#include <string>

#include "cornu/models/callbacks/monitor.h"

namespace cornu {

/// Saves the model, or its weights alone, at the end of each epoch or every so many batches, as Keras does:
///     ModelCheckpoint{.filepath = "best/{epoch:02d}-{val_loss:.4f}.safetensors", .save_best_only = true}
/// In braces: epoch and batch, from 1, and whatever the logs have, with fmt's formats (Python's, nearly). Folders are
/// made as they are needed. Throws ValueError for a name in braces or a `monitor` that the logs do not have, listing
/// those there are, and as Sequential::save does.
struct ModelCheckpoint {
  using enum MonitorMode;

  std::string filepath;
  std::string monitor = "val_loss";
  bool save_best_only = false;  ///< only where `monitor` is better than ever before
  bool save_weights_only = false;
  MonitorMode mode = automatic;
  Index save_freq = 0;                              ///< batches; 0: each epoch
  std::optional<double> initial_value_threshold{};  ///< what has to be surpassed to begin with

  // What came of it.
  double best = 0;
  std::string last_saved{};  ///< the name of the last file, as it was made of filepath

  void state(auto& visit) {
    visit("best", best);
    visit("last_saved", last_saved);
  }
  void on_train_begin(Run& run, Logs& logs);
  void on_train_batch_end(Run& run, Index batch, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
};

}  // namespace cornu
