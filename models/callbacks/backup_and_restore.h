#pragma once

#include <string>

#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Makes fit resumable: if the program is killed at any moment and started again, training continues from the last
/// backup and ends with the same bits as an uninterrupted run. Restores weights, optimizer state, shuffling and the
/// layers' random streams, the metrics of the current epoch, the history, and the state of other callbacks (those with
/// `state`, see models/callbacks/callback.h).
///     model.fit(train, {.epochs = 50, .callbacks = {BackupAndRestore{"backup"}}});
/// Model, compile and fit options must be those of the interrupted run; `epochs` may be larger.
/// Throws ValueError if the backup is from another model, or from a run with a different number of callbacks or of
/// batches per epoch; FormatError if it is damaged; FileError if it cannot be written; StateError if save_freq is set
/// and a metric has no `state`.
struct BackupAndRestore {
  std::string backup_dir;
  Index save_freq = 0;  ///< in batches; 0: every epoch
  /// Deletes the backup when the run completes. It is kept if the run ends by Ctrl-C, by an exception or
  /// (TerminateOnNaN) by a non-finite loss. A state with a non-finite loss is never saved, so the backup is the last
  /// good state.
  bool delete_checkpoint = true;

  void on_train_resume(Run& run, Logs& logs) const;
  void on_train_pause(Run& run, Logs& logs) const;
  void on_train_end(Run& run, Logs& logs) const;
};

}  // namespace cornu
