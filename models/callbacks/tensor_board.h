#pragma once

#include <map>
#include <string>

#include "cornu/formats/event_file.h"
#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Writes event files for TensorBoard below log_dir, in `train` and `validation`: per epoch "epoch_loss" and the other
/// logs, and optionally "batch_loss" etc. and histograms of all weights, "dense/kernel/histogram". As in Keras, but
/// without its curve of the validation loss over steps. View them with `tensorboard --logdir logs`.
/// Throws FileError, naming the file, if one cannot be written, and ValueError for negative options.
struct TensorBoard {
  std::string log_dir = "logs";
  Index histogram_freq = 0;  ///< epochs between histograms; 0: none
  Index update_freq = 0;     ///< batches between batch logs; 0: epoch logs only

  // State.
  std::map<std::string, EventFile> files{};  ///< by folder; each is created at its first write
  Index step = 0;

  void on_train_begin(Run& run, Logs& logs);
  void on_train_batch_end(Run& run, Index batch, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
  void state(auto& visit) { visit("step", step); }
};

}  // namespace cornu
