#pragma once

#include <map>
#include <string>

#include "cornu/formats/event_file.h"
#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Writes for TensorBoard what a run sees, in event files below log_dir, `train` and `validation`: an "epoch_loss" and
/// the like an epoch, and where asked for "batch_loss" and histograms of all weights, "dense/kernel/histogram". As in
/// Keras, but that a validation leaves no curve by the number of steps. `tensorboard --logdir logs` shows them.
/// Throws FileError, naming the file, if one cannot be written, ValueError for numbers below 0.
struct TensorBoard {
  std::string log_dir = "logs";
  Index histogram_freq = 0;  ///< histograms every so many epochs; 0: none
  Index update_freq = 0;     ///< what the batches bring, every so many; 0: what the epochs bring alone

  // What it remembers meanwhile.
  std::map<std::string, EventFile> files{};  ///< by folder; they begin with what is first written to them
  Index step = 0;

  void on_train_begin(Run& run, Logs& logs);
  void on_train_batch_end(Run& run, Index batch, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
  void state(auto& visit) { visit("step", step); }
};

}  // namespace cornu
