#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/options/options.h"
#include "cornu/models/callbacks/callback_checks.h"
#include "cornu/models/logs.h"
#include "cornu/models/metrics/direction.h"

namespace cornu {

class AnyCallback;
class Sequential;

/// The run that a callback is called from.
struct Run {
  Sequential& model;
  Index epochs = 0;            ///< as requested
  Index steps = 0;             ///< batches per epoch
  Index validation_freq = 0;   ///< epochs between validations; 0: no validation
  bool stop_training = false;  ///< set to true to end the run after this batch or epoch
  /// True: a non-finite loss throws NonFiniteError. A callback that handles such losses itself sets it to false.
  bool throw_on_non_finite = true;
  bool non_finite = false;     ///< the last batch's loss was not finite, so its step was skipped
  std::exception_ptr error{};  ///< in the `end` hooks: the exception that ended the run, or null

  // The position of fit, with everything needed to resume an interrupted run. on_train_resume may change it.
  Index epoch = 0;             ///< the current or next epoch, from 0
  Index batch = 0;             ///< number of its batches that are done
  History* history = nullptr;  ///< of the epochs so far; null outside training
  /// Reads or writes, through `visit`, what the loss and the metrics have accumulated in this epoch. Empty outside
  /// training. Throws StateError, naming the metric, for one without `state`.
  std::function<void(OptionVisitor&)> visit_metrics{};
  std::span<AnyCallback> callbacks{};
  std::vector<std::string> metrics{"loss"};            ///< the names fit itself puts in the logs: "loss", then metrics
  std::vector<Direction> directions{Direction::down};  ///< one for each of `metrics`
};

/// The points at which callbacks are called. A callback is a struct with any of these functions, Keras's hooks:
///   on_train_begin(Run&, Logs&)              on_train_end(Run&, Logs&)             also for test and predict
///   on_epoch_begin(Run&, Index epoch, Logs&) on_epoch_end(Run&, Index epoch, Logs&)
///   on_train_batch_begin(Run&, Index batch, Logs&), on_train_batch_end(...)        also for test and predict
/// and two more for callbacks that save runs:
///   on_train_resume(Run&, Logs&): after all on_train_begin hooks. It may move the run to where another run was
///     interrupted. If that is within an epoch, the epoch continues without on_epoch_begin.
///   on_train_pause(Run&, Logs&): after each batch and each epoch, when all other hooks have run. The run can be
///     resumed from this point.
/// `begin` hooks get empty logs. What on_epoch_end adds to the logs goes into the history.
/// A train_end, test_end or predict_end hook is called for each callback whose `begin` hook returned, also when an
/// exception ends the run; `run.error` is set then. Exceptions thrown by `end` hooks are dropped after the first
/// exception, which is rethrown.
enum class Hook {
  train_begin,
  train_resume,
  train_pause,
  train_end,
  test_begin,
  test_end,
  predict_begin,
  predict_end,
  epoch_begin,
  epoch_end,
  train_batch_begin,
  train_batch_end,
  test_batch_begin,
  test_batch_end,
  predict_batch_begin,
  predict_batch_end,
};

namespace detail {

/// Calls the callback's function for this hook, if it has one. A function of that name that cannot be called, because
/// its parameters are wrong or the callback is const, is a compile error.
template <class C>
void call_hook(C& callback, Hook hook, Run& run, Index index, Logs& logs) {
  static_cast<void>(index);
  switch (hook) {
    case Hook::train_begin:
      if constexpr (
          requires { &C::on_train_begin; } || requires { callback.on_train_begin(run, logs); })
        callback.on_train_begin(run, logs);
      break;
    case Hook::train_resume:
      if constexpr (
          requires { &C::on_train_resume; } || requires { callback.on_train_resume(run, logs); })
        callback.on_train_resume(run, logs);
      break;
    case Hook::train_pause:
      if constexpr (
          requires { &C::on_train_pause; } || requires { callback.on_train_pause(run, logs); })
        callback.on_train_pause(run, logs);
      break;
    case Hook::train_end:
      if constexpr (
          requires { &C::on_train_end; } || requires { callback.on_train_end(run, logs); })
        callback.on_train_end(run, logs);
      break;
    case Hook::test_begin:
      if constexpr (
          requires { &C::on_test_begin; } || requires { callback.on_test_begin(run, logs); })
        callback.on_test_begin(run, logs);
      break;
    case Hook::test_end:
      if constexpr (
          requires { &C::on_test_end; } || requires { callback.on_test_end(run, logs); })
        callback.on_test_end(run, logs);
      break;
    case Hook::predict_begin:
      if constexpr (
          requires { &C::on_predict_begin; } || requires { callback.on_predict_begin(run, logs); })
        callback.on_predict_begin(run, logs);
      break;
    case Hook::predict_end:
      if constexpr (
          requires { &C::on_predict_end; } || requires { callback.on_predict_end(run, logs); })
        callback.on_predict_end(run, logs);
      break;
    case Hook::epoch_begin:
      if constexpr (
          requires { &C::on_epoch_begin; } || requires { callback.on_epoch_begin(run, index, logs); })
        callback.on_epoch_begin(run, index, logs);
      break;
    case Hook::epoch_end:
      if constexpr (
          requires { &C::on_epoch_end; } || requires { callback.on_epoch_end(run, index, logs); })
        callback.on_epoch_end(run, index, logs);
      break;
    case Hook::train_batch_begin:
      if constexpr (
          requires { &C::on_train_batch_begin; } || requires { callback.on_train_batch_begin(run, index, logs); })
        callback.on_train_batch_begin(run, index, logs);
      break;
    case Hook::train_batch_end:
      if constexpr (
          requires { &C::on_train_batch_end; } || requires { callback.on_train_batch_end(run, index, logs); })
        callback.on_train_batch_end(run, index, logs);
      break;
    case Hook::test_batch_begin:
      if constexpr (
          requires { &C::on_test_batch_begin; } || requires { callback.on_test_batch_begin(run, index, logs); })
        callback.on_test_batch_begin(run, index, logs);
      break;
    case Hook::test_batch_end:
      if constexpr (
          requires { &C::on_test_batch_end; } || requires { callback.on_test_batch_end(run, index, logs); })
        callback.on_test_batch_end(run, index, logs);
      break;
    case Hook::predict_batch_begin:
      if constexpr (
          requires { &C::on_predict_batch_begin; } || requires { callback.on_predict_batch_begin(run, index, logs); })
        callback.on_predict_batch_begin(run, index, logs);
      break;
    case Hook::predict_batch_end:
      if constexpr (
          requires { &C::on_predict_batch_end; } || requires { callback.on_predict_batch_end(run, index, logs); })
        callback.on_predict_batch_end(run, index, logs);
      break;
  }
}

}  // namespace detail

/// Any callback. Passed by value, it is copied with the options. Passed by pointer, it remains the caller's and can be
/// inspected afterwards: `EarlyStopping early{.patience = 3}; model.fit(train, {.callbacks = {&early}});
/// early.stopped_epoch`.
class AnyCallback {
 public:
  template <class C>
  requires(!std::same_as<C, AnyCallback> && std::copy_constructible<C> && std::is_class_v<C>) AnyCallback(C callback)
      : box_(std::make_unique<BoxOf<C>>(std::move(callback))) {}
  template <class C>
  AnyCallback(C* callback) : box_(std::make_unique<Borrowed<C>>(callback)) {}

  void call(Hook hook, Run& run, Index index, Logs& logs) { box_->call(hook, run, index, logs); }
  /// Reads or writes the callback's state if it has `void state(auto& visit)`, which names values as `options` names
  /// options. A resumed run (BackupAndRestore) restores that state.
  void state(OptionVisitor& visit) { box_->state(visit); }

 private:
  struct Box : detail::Cloneable<Box> {
    virtual void call(Hook hook, Run& run, Index index, Logs& logs) = 0;
    virtual void state(OptionVisitor& visit) = 0;
  };

  template <class C>
  struct BoxOf final : Box {
    C callback;

    explicit BoxOf(C c) : callback(std::move(c)) { detail::check_callback<C>(); }
    std::unique_ptr<Box> clone() const override { return std::make_unique<BoxOf>(*this); }
    void call(Hook hook, Run& run, Index index, Logs& logs) override {
      detail::call_hook(callback, hook, run, index, logs);
    }
    void state(OptionVisitor& visit) override {
      if constexpr (requires { callback.state(visit); }) callback.state(visit);
    }
  };

  template <class C>
  struct Borrowed final : Box {
    C* callback;

    explicit Borrowed(C* c) : callback(c) { detail::check_callback<C>(); }
    std::unique_ptr<Box> clone() const override { return std::make_unique<Borrowed>(*this); }
    void call(Hook hook, Run& run, Index index, Logs& logs) override {
      detail::call_hook(*callback, hook, run, index, logs);
    }
    void state(OptionVisitor& visit) override {
      if constexpr (requires { callback->state(visit); }) callback->state(visit);
    }
  };

  detail::DeepPtr<Box> box_;
};

}  // namespace cornu
