#pragma once

#include <string>

#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// Makes fit resumable. If the run is killed at any moment, starting the same program again continues it, and it ends
/// with the same bits as a run that was not killed. The backup holds the weights, the optimizer's state, shuffling and
/// the layers' random streams, the accumulated metrics, the history, and the state of other callbacks with a `state`
/// function (models/callbacks/callback.h).
///     model.fit(train, {.epochs = 50, .callbacks = {BackupAndRestore{"backup"}}});
/// The model, its compile settings and the options of fit must equal those of the interrupted run; `epochs` may be
/// larger.
/// Throws ValueError if the backup belongs to another model or another number of batches per epoch, FormatError if it
/// is corrupt, FileError if it cannot be written, and StateError if save_freq is set and a metric has no `state`.
struct BackupAndRestore {
  std::string backup_dir;
  Index save_freq = 0;  ///< batches between backups; 0: after each epoch
  /// Delete the backup when the run completes. After Ctrl-C, an exception or a non-finite loss (TerminateOnNaN) it is
  /// kept. It then holds the last good state, because a non-finite state is never saved.
  bool delete_checkpoint = true;

  void on_train_resume(Run& run, Logs& logs) const;
  void on_train_pause(Run& run, Logs& logs) const;
  void on_train_end(Run& run, Logs& logs) const;
};

}  // namespace cornu
