#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/callbacks/callback.h"
#include "cornu/models/callbacks/monitor.h"

/// Callbacks with Keras's names and defaults. Pass by pointer to read results afterwards: `EarlyStopping
/// early{.patience = 3}; model.fit(train, {.callbacks = {&early}}); early.stopped_epoch`. A callback can be reused:
/// every fit resets it.
namespace cornu {

/// Ends the run when `monitor` has not improved by more than min_delta for `patience` epochs, but never in the first
/// epoch. As in Keras. With restore_best_weights, the model gets the weights of the best epoch however the run ends,
/// even by an exception.
/// Throws ValueError after the first epoch whose logs lack `monitor`, listing the names available (Keras warns). If
/// `monitor` is a validation value, epochs without validation (validation_freq, Ctrl-C) are ignored.
struct EarlyStopping {
  static constexpr bool on_every_rank = true;

  using Mode = MonitorMode;
  using enum MonitorMode;

  std::string monitor = "val_loss";
  double min_delta = 0;
  Index patience = 0;
  MonitorMode mode = automatic;
  std::optional<double> baseline{};  ///< `patience` restarts only after an epoch that also improves on this value
  bool restore_best_weights = false;
  Index start_from_epoch = 0;  ///< earlier epochs are ignored

  // Results. Epochs count from 0.
  Index stopped_epoch = 0;  ///< 0 if the run was not stopped
  double best = 0;
  Index best_epoch = 0;

  // State.
  Index wait = 0;
  std::vector<Tensor> best_weights{};

  void state(auto& visit) {
    visit("stopped_epoch", stopped_epoch);
    visit("best", best);
    visit("best_epoch", best_epoch);
    visit("wait", wait);
    visit("best_weights", best_weights);
  }
  void on_train_begin(Run& run, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
  void on_train_end(Run& run, Logs& logs);
};

namespace detail {

/// A function, possibly empty; calling an empty one does nothing.
template <class... Args>
class OptionalFunction {
 public:
  OptionalFunction() = default;
  template <std::invocable<Args...> F>
  requires(!std::same_as<F, OptionalFunction>) OptionalFunction(F function) : function_(std::move(function)) {}

  void operator()(Args... args) const {
    if (function_) function_(args...);
  }

 private:
  std::function<void(Args...)> function_;
};

}  // namespace detail

/// Functions for any of Keras's hooks, declared in the order in which they are called:
/// `LambdaCallback{.on_epoch_end = [](Run& run, Index epoch, Logs& logs) { ... }}`.
struct LambdaCallback {
  using OfRun = detail::OptionalFunction<Run&, Logs&>;
  using OfPart = detail::OptionalFunction<Run&, Index, Logs&>;

  OfRun on_train_begin{};
  OfPart on_epoch_begin{}, on_train_batch_begin{}, on_train_batch_end{}, on_epoch_end{};
  OfRun on_train_end{};
  OfRun on_test_begin{};
  OfPart on_test_batch_begin{}, on_test_batch_end{};
  OfRun on_test_end{};
  OfRun on_predict_begin{};
  OfPart on_predict_batch_begin{}, on_predict_batch_end{};
  OfRun on_predict_end{};
};

/// Ends the run after a batch with a non-finite loss, instead of throwing NonFiniteError. A BackupAndRestore backup is
/// kept, and holds the last good state.
struct TerminateOnNaN {
  static constexpr bool on_every_rank = true;

  void on_train_begin(Run& run, Logs& logs);
  void on_train_batch_end(Run& run, Index batch, Logs& logs);
};

/// Appends a row to a CSV file after each epoch: the epoch from 0, then the logs sorted by name, "NA" for a missing
/// value. The first line names the columns: the logs of the first epoch, and those of validation even if it runs later.
/// The first row overwrites the file, unless `append` is set. A run that BackupAndRestore resumes continues its file;
/// rows of repeated epochs are replaced.
/// Throws FileError, naming the file, if it cannot be written, and FormatError if the file to append to has other
/// columns.
struct CSVLogger {
  std::string filename;
  char separator = ',';
  bool append = false;

  // State.
  std::string header{};
  std::vector<std::string> columns{};
  bool resumes = false;

  void state(auto& visit) {
    visit("columns", columns);
    if (visit.reading()) resumes = true;
  }
  void on_train_begin(Run& run, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
};

/// Sets the learning rate of each epoch to `schedule(epoch, current rate)`, and logs it as "learning_rate".
/// Throws ValueError for a rate that is negative or not finite, for an empty schedule, and for an optimizer whose
/// learning rate is itself a schedule.
struct LearningRateScheduler {
  static constexpr bool on_every_rank = true;

  std::function<double(Index epoch, double learning_rate)> schedule;

  void on_train_begin(Run& run, Logs& logs) const;
  void on_epoch_begin(Run& run, Index epoch, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
};

}  // namespace cornu
