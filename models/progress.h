#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "cornu/models/logs.h"
#include "cornu/models/sequential.h"

namespace cornu::detail {

/// Shows the progress of fit or evaluate, as in Keras. In bar mode the bar is redrawn at most every 0.05 s. It shows
/// the time remaining, and at the end of the epoch the time taken:
///
///     Epoch 1/5
///     1875/1875 ━━━━━━━━━━━━━━━━━━━━ 4s 2ms/step - accuracy: 0.8801 - loss: 0.4108 - val_loss: 0.2013
///
/// In line mode one plain line without escape codes is written at the end of the epoch:
///
///     Epoch 1/5 - 1875/1875 - 4s - 2ms/step - accuracy: 0.8801 - loss: 0.4108
///
/// The epoch is shown only if there are several. Values are listed in three groups, each sorted by name: those of the
/// steps, of the validation, and those that callbacks added. The time per step excludes the first step, which warms up,
/// and the time after the last step, such as that of validation.
/// A failing write is ignored and raises no signal (SIGPIPE): the reader of the output may exit at any time.
class ProgressDisplay {
 public:
  /// Monotonic time in seconds, from any origin.
  using Clock = std::function<double()>;

  /// epochs: as requested. steps: per epoch.
  ProgressDisplay(Verbose mode, Index epochs, Index steps, std::FILE* out = stdout, Clock clock = {});
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  /// Ends the line of a bar that an error interrupted, so that the error's text starts on a new line.
  ~ProgressDisplay();

  /// Epochs count from 0. done: steps of this epoch that an earlier run has done.
  void epoch_begin(Index epoch, Index done = 0);
  /// Shows that `done` steps are complete, with their values. Warm, it allocates nothing.
  void step(Index done, const Logs& logs);
  void epoch_end(const Logs& logs);

 private:
  double seconds_per_step(double now) const;
  void put_values(const Logs& logs);
  void draw_bar(const Logs& logs, bool last);
  void write();

  Verbose mode_;
  Index epochs_, steps_;
  std::FILE* out_;
  Clock clock_;
  double begin_ = 0, after_first_ = 0, after_latest_ = 0, drawn_ = 0;
  Index epoch_ = 0;
  Index done_ = 0, done_before_ = 0, done_first_ = 0;  // now, before the epoch began here, at the first report
  bool bar_drawn_ = false;                             // in this epoch
  std::vector<std::string> step_names_;                // names of the steps' values
  std::vector<const Logs::Entry*> order_;
  std::string text_;
};

}  // namespace cornu::detail
