#pragma once

#include <map>
#include <string>

#include "cornu/formats/event_file.h"
#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Writes logs for TensorBoard to event files in the folders `train` and `validation` of log_dir: "epoch_loss" and the
/// like after each epoch and, if requested, "batch_loss" and histograms of all weights ("dense/kernel/histogram").
/// `tensorboard --logdir logs` shows them. As in Keras, except that validation writes no curve over steps.
/// Throws FileError, naming the file, if one cannot be written, and ValueError for negative frequencies.
struct TensorBoard {
  std::string log_dir = "logs";
  Index histogram_freq = 0;  ///< epochs between histograms; 0: none
  Index update_freq = 0;     ///< batches between values of batches; 0: values of epochs only

  // State.
  std::map<std::string, EventFile> files{};  ///< by folder; a file is created by its first event
  Index step = 0;

  void on_train_begin(Run& run, Logs& logs);
  void on_train_batch_end(Run& run, Index batch, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
  void state(auto& visit) { visit("step", step); }
};

}  // namespace cornu
