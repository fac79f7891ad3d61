#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/callbacks/callback.h"
#include "cornu/models/callbacks/monitor.h"

/// Callbacks, with Keras's names and defaults. Those with something to tell afterwards are given by pointer:
/// `EarlyStopping early{.patience = 3}; model.fit(train, {.callbacks = {&early}}); early.stopped_epoch`. Each may be
/// used for one fit after another, and begins anew with each.
namespace cornu {

/// Ends the run once `monitor` has not improved by more than min_delta for `patience` epochs, as in Keras: not in the
/// very first epoch, and, with restore_best_weights, with the weights of the best one however the run ended, also with
/// an exception. Throws ValueError, listing the names there are, after the first epoch whose logs have no such name.
/// (Keras warns.) Epochs without validation, because of validation_freq or Ctrl-C, count for nothing where validation
/// is monitored.
struct EarlyStopping {
  using Mode = MonitorMode;
  using enum MonitorMode;

  std::string monitor = "val_loss";
  double min_delta = 0;
  Index patience = 0;
  MonitorMode mode = automatic;
  std::optional<double> baseline{};  ///< patience runs on until this has been surpassed
  bool restore_best_weights = false;
  Index start_from_epoch = 0;  ///< epochs before this one count for nothing

  // What came of it. Epochs count from 0.
  Index stopped_epoch = 0;  ///< 0 also if the run ended by itself
  double best = 0;
  Index best_epoch = 0;

  // What it remembers meanwhile.
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

/// A function, or none, which does nothing.
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

/// Functions for any of the hooks, in the order in which they are called:
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

/// Ends the run quietly, after the batch, when the loss is no longer finite, instead of the NonFiniteError. The backup
/// of a BackupAndRestore stays, and is that of the last good state.
struct TerminateOnNaN {
  void on_train_begin(Run& run, Logs& logs);
  void on_train_batch_end(Run& run, Index batch, Logs& logs);
};

/// Writes a row an epoch to a file, at once: the epoch from 0, then the logs sorted by name, "NA" for what an epoch
/// lacks. The columns, in the first line, are those of the first epoch, and where validation comes later those of the
/// validation. The file begins anew with the first epoch's row; with `append` it goes on with the rows that are there.
/// A run that BackupAndRestore resumes goes on with its own rows, without those of epochs that are done again.
/// Throws FileError, naming the file, if it cannot be written, and FormatError if the file to go on with has other
/// columns.
struct CSVLogger {
  std::string filename;
  char separator = ',';
  bool append = false;

  // What it remembers meanwhile.
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

/// Gives every epoch the learning rate `schedule(epoch, rate so far)`, and puts it in the logs as "learning_rate".
/// Throws ValueError for a rate that is negative or not finite, if there is no schedule, and for an optimizer whose
/// learning rate is a schedule itself.
struct LearningRateScheduler {
  std::function<double(Index epoch, double learning_rate)> schedule;

  void on_train_begin(Run& run, Logs& logs) const;
  void on_epoch_begin(Run& run, Index epoch, Logs& logs);
  void on_epoch_end(Run& run, Index epoch, Logs& logs);
};

}  // namespace cornu
