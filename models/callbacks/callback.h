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
#include "cornu/core/direction.h"
#include "cornu/core/options/options.h"
#include "cornu/models/callbacks/callback_checks.h"
#include "cornu/models/logs.h"

namespace cornu {

class AnyCallback;
class Sequential;

/// The state of a run, passed to its callbacks.
struct Run {
  Sequential& model;
  Index epochs = 0;            ///< number of epochs requested
  Index steps = 0;             ///< batches per epoch
  Index validation_freq = 0;   ///< epochs between validations; 0: never
  bool stop_training = false;  ///< set to true to end the run after this batch or epoch
  /// If true, a non-finite loss throws NonFiniteError. A callback that handles it sets this to false.
  bool throw_on_non_finite = true;
  bool non_finite = false;     ///< the last batch's loss was not finite; its step was skipped
  std::exception_ptr error{};  ///< in the `end` hooks: the exception that ended the run, or null

  // The position in fit, from which an interrupted run resumes. on_train_resume may change it.
  Index epoch = 0;             ///< the current or next epoch, from 0
  Index batch = 0;             ///< batches of this epoch that are done
  History* history = nullptr;  ///< of the previous epochs; null when not training
  /// Lets `visit` write or read the loss and metrics accumulated in this epoch; empty when not training. Throws
  /// StateError for a metric without `state`, naming it.
  std::function<void(OptionVisitor&)> visit_metrics{};
  std::span<AnyCallback> callbacks{};
  std::vector<std::string> metrics{"loss"};            ///< what fit itself logs: "loss", then the metrics
  std::vector<Direction> directions{Direction::down};  ///< of each of `metrics`
};

/// The events a callback can handle. A callback is a struct with any of these functions, Keras's hooks:
///   on_train_begin(Run&, Logs&)              on_train_end(Run&, Logs&)             also for test and predict
///   on_epoch_begin(Run&, Index epoch, Logs&) on_epoch_end(Run&, Index epoch, Logs&)
///   on_train_batch_begin(Run&, Index batch, Logs&), on_train_batch_end(...)        also for test and predict
/// `begin` hooks get empty logs. What on_epoch_end adds to the logs is added to the history.
/// Once its `begin` hook has returned, a callback's `end` hook is called even if the run ends with an exception, which
/// is then in `run.error`. If `end` hooks throw as well, the first exception propagates and the others are discarded.
/// Two more hooks support saving and resuming runs:
///   on_train_resume(Run&, Logs&): after all on_train_begin. It may set the position from which the run continues. A
///     run that resumes within an epoch skips that epoch's on_epoch_begin.
///   on_train_pause(Run&, Logs&): after each batch and each epoch, when all other hooks have run. The run can be
///     resumed from here.
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
/// of its parameters or because the callback is const, is a compile error rather than ignored.
template <class C>
void call_hook(C& callback, Hook hook, Run& run, Index index, Logs& logs) {
  static_cast<void>(index);
  // NOLINTBEGIN(bugprone-branch-clone): the branches of hooks that C lacks are all empty
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
  // NOLINTEND(bugprone-branch-clone)
}

}  // namespace detail

/// Any callback. Passed by value, it is copied with the options. Passed by pointer, it can be read afterwards:
/// `EarlyStopping early{.patience = 3}; model.fit(train, {.callbacks = {&early}}); early.stopped_epoch`.
class AnyCallback {
 public:
  template <class C>
  requires(!std::same_as<C, AnyCallback> && std::copy_constructible<C> && std::is_class_v<C>) AnyCallback(C callback)
      : box_(std::make_unique<BoxOf<C>>(std::move(callback))) {}
  template <class C>
  AnyCallback(C* callback) : box_(std::make_unique<Borrowed<C>>(callback)) {}

  void call(Hook hook, Run& run, Index index, Logs& logs) { box_->call(hook, run, index, logs); }
  /// Lets `visit` write or read the callback's state, if it has `void state(auto& visit)`, which names each value as
  /// `options` does. A resumed run (BackupAndRestore) restores it.
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
