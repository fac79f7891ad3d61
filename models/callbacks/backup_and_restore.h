#pragma once

#include <string>

#include "cornu/models/callbacks/callback.h"

namespace cornu {

/// A run of fit that is killed at any moment, however rudely, goes on where it was when the same program is started
/// again, and ends with the same bits as one that was not: weights, the optimizer's state, shuffles, what layers draw,
/// the metrics so far, the history, and what other callbacks remember (those with a `state`:
/// models/callbacks/callback.h).
///     model.fit(train, {.epochs = 50, .callbacks = {BackupAndRestore{"backup"}}});
/// The model, its compile and the options of fit must be those of the run that was broken off; `epochs` may be more.
/// Throws ValueError if the backup is of another model or of another number of batches an epoch, FormatError if it is
/// broken, FileError if it cannot be written, and StateError where save_freq is given for a metric that has no `state`.
struct BackupAndRestore {
  std::string backup_dir;
  Index save_freq = 0;  ///< batches; 0: each epoch
  /// Once the run has come to its end. It stays where the run ended with Ctrl-C, with an exception, or (TerminateOnNaN)
  /// with a loss that is not finite: this is never saved, so that the last good state is there.
  bool delete_checkpoint = true;

  void on_train_resume(Run& run, Logs& logs) const;
  void on_train_pause(Run& run, Logs& logs) const;
  void on_train_end(Run& run, Logs& logs) const;
};

}  // namespace cornu
