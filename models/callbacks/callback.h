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

/// The run that a callback is called from: what it may know, and what it may do to it.
struct Run {
  Sequential& model;
  Index epochs = 0;            ///< that were asked for
  Index steps = 0;             ///< batches an epoch
  Index validation_freq = 0;   ///< validates every so many epochs; 0: not at all
  bool stop_training = false;  ///< set it to end the run after this batch or epoch
  /// A loss that is no longer finite throws NonFiniteError; a callback that sees to it itself says false.
  bool throw_on_non_finite = true;
  bool non_finite = false;     ///< the loss of the last batch was not finite, and no step was made with it
  std::exception_ptr error{};  ///< in the hooks that end a run: the exception that ended it; null if none did

  // Where fit stands: what is needed to take up a run that was broken off. on_train_resume may change it.
  Index epoch = 0;             ///< the epoch to come, or that is under way, from 0
  Index batch = 0;             ///< how many of its batches are done
  History* history = nullptr;  ///< of the epochs before; as the next one, null where nothing is trained
  /// Has `visit` write or read what loss and metrics have gathered in this epoch; empty where nothing is trained.
  /// Throws StateError, naming it, for a metric that has no `state`.
  std::function<void(OptionVisitor&)> visit_metrics{};
  std::span<AnyCallback> callbacks{};
  std::vector<std::string> metrics{"loss"};            ///< what fit puts in the logs itself: "loss", then the metrics
  std::vector<Direction> directions{Direction::down};  ///< of each of `metrics`
};

/// The moments at which a callback may act. A callback is a struct with any of these functions, Keras's hooks:
///   on_train_begin(Run&, Logs&)              on_train_end(Run&, Logs&)             and the same for test and predict
/// The `end` hooks are called however the run ends: also when it ends with an exception (then `run.error` is set), for
/// each callback whose `begin` hook returned. What an `end` hook throws then is dropped; the first exception is thrown.
///   on_epoch_begin(Run&, Index epoch, Logs&) on_epoch_end(Run&, Index epoch, Logs&)
///   on_train_batch_begin(Run&, Index batch, Logs&), on_train_batch_end(...)        and the same for test and predict
/// The `begin` hooks get empty logs. What on_epoch_end adds to the logs is in the history. Two more are for those that
/// keep runs:
///   on_train_resume(Run&, Logs&): after all on_train_begin. The run may be sent to where another one was broken off;
///     in the midst of an epoch it goes on without that epoch's on_epoch_begin.
///   on_train_pause(Run&, Logs&): after a batch, and after an epoch, when all other hooks have acted. From here the run
///     could be taken up.
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

/// Calls the callback's function for this moment, if it has one. One of that name that cannot be called so, because of
/// its parameters or because the callback is const, is an error of the compiler's and not passed by.
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

/// Any callback. Given by value it is copied with the options; given by pointer it stays the caller's, who can ask it
/// afterwards: `EarlyStopping early{.patience = 3}; model.fit(train, {.callbacks = {&early}}); early.stopped_epoch`.
class AnyCallback {
 public:
  template <class C>
  requires(!std::same_as<C, AnyCallback> && std::copy_constructible<C> && std::is_class_v<C>) AnyCallback(C callback)
      : box_(std::make_unique<BoxOf<C>>(std::move(callback))) {}
  template <class C>
  AnyCallback(C* callback) : box_(std::make_unique<Borrowed<C>>(callback)) {}

  void call(Hook hook, Run& run, Index index, Logs& logs) { box_->call(hook, run, index, logs); }
  /// Has `visit` write or read what the callback remembers, if it says so: `void state(auto& visit)`, which names it as
  /// `options` names options. A run that is taken up again (BackupAndRestore) then finds it as it was.
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
