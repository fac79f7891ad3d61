#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "cornu/models/logs.h"
#include "cornu/models/sequential.h"

namespace cornu {

/// Shows how far fit or evaluate is, as Keras does. The bar is drawn anew at most every 0.05 s, with the time that is
/// left until the epoch ends and the time that it took afterwards:
///
///     Epoch 1/5
///     1875/1875 ━━━━━━━━━━━━━━━━━━━━ 4s 2ms/step - accuracy: 0.8801 - loss: 0.4108 - val_loss: 0.2013
///
/// and as one plain line, written when the epoch ends, without any escape code:
///
///     Epoch 1/5 - 1875/1875 - 4s - 2ms/step - accuracy: 0.8801 - loss: 0.4108
///
/// The epoch is named only if there are several. The values are those of the steps, then those of the
/// validation, then what callbacks added, each sorted by name. The time of a step leaves out the first step, which
/// warms up, and whatever comes after the last one, such as the validation.
/// Nothing is thrown if it cannot be written, and no signal raised: what reads the output may go away at any time.
class ProgressDisplay {
 public:
  /// Seconds since any moment, never going back.
  using Clock = std::function<double()>;

  /// `epochs` that were asked for, and `steps` in each.
  ProgressDisplay(Verbose mode, Index epochs, Index steps, std::FILE* out = stdout, Clock clock = {});
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  /// Ends the line of a bar that an error cut short, so that its text gets a line of its own.
  ~ProgressDisplay();

  /// Epochs count from 0.
  void epoch_begin(Index epoch);
  /// So many steps are done, with these values. Warm, it allocates nothing.
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
  Index epoch_ = 0, done_ = 0;
  bool bar_drawn_ = false;               // in this epoch
  std::vector<std::string> step_names_;  // the values that steps have
  std::vector<const Logs::Entry*> order_;
  std::string text_;
};

}  // namespace cornu
