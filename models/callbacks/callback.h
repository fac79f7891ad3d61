#pragma once

#include <array>
#include <concepts>
#include <cstddef>
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

/// The functions of a callback by hook; null for a hook that it lacks. A function of that name that cannot be called,
/// because of its parameters or because the callback is const, is a compile error rather than ignored.
template <class C>
class HooksOf {
 public:
  using Call = void (*)(C&, Run&, Index, Logs&);

  constexpr Call operator[](Hook hook) const { return calls_[static_cast<std::size_t>(hook)]; }
  constexpr bool any() const { return any_; }

  constexpr HooksOf() {
    if constexpr (
        requires { &C::on_train_begin; } || requires(C & c, Run & run, Logs & logs) { c.on_train_begin(run, logs); })
      set(Hook::train_begin, [](C& c, Run& run, Index, Logs& logs) { c.on_train_begin(run, logs); });
    if constexpr (
        requires { &C::on_train_resume; } || requires(C & c, Run & run, Logs & logs) { c.on_train_resume(run, logs); })
      set(Hook::train_resume, [](C& c, Run& run, Index, Logs& logs) { c.on_train_resume(run, logs); });
    if constexpr (
        requires { &C::on_train_pause; } || requires(C & c, Run & run, Logs & logs) { c.on_train_pause(run, logs); })
      set(Hook::train_pause, [](C& c, Run& run, Index, Logs& logs) { c.on_train_pause(run, logs); });
    if constexpr (
        requires { &C::on_train_end; } || requires(C & c, Run & run, Logs & logs) { c.on_train_end(run, logs); })
      set(Hook::train_end, [](C& c, Run& run, Index, Logs& logs) { c.on_train_end(run, logs); });
    if constexpr (
        requires { &C::on_test_begin; } || requires(C & c, Run & run, Logs & logs) { c.on_test_begin(run, logs); })
      set(Hook::test_begin, [](C& c, Run& run, Index, Logs& logs) { c.on_test_begin(run, logs); });
    if constexpr (
        requires { &C::on_test_end; } || requires(C & c, Run & run, Logs & logs) { c.on_test_end(run, logs); })
      set(Hook::test_end, [](C& c, Run& run, Index, Logs& logs) { c.on_test_end(run, logs); });
    if constexpr (
        requires { &C::on_predict_begin; } ||
        requires(C & c, Run & run, Logs & logs) { c.on_predict_begin(run, logs); })
      set(Hook::predict_begin, [](C& c, Run& run, Index, Logs& logs) { c.on_predict_begin(run, logs); });
    if constexpr (
        requires { &C::on_predict_end; } || requires(C & c, Run & run, Logs & logs) { c.on_predict_end(run, logs); })
      set(Hook::predict_end, [](C& c, Run& run, Index, Logs& logs) { c.on_predict_end(run, logs); });
    if constexpr (
        requires { &C::on_epoch_begin; } || requires(C & c, Run & run, Logs & logs) { c.on_epoch_begin(run, 0, logs); })
      set(Hook::epoch_begin, [](C& c, Run& run, Index i, Logs& logs) { c.on_epoch_begin(run, i, logs); });
    if constexpr (
        requires { &C::on_epoch_end; } || requires(C & c, Run & run, Logs & logs) { c.on_epoch_end(run, 0, logs); })
      set(Hook::epoch_end, [](C& c, Run& run, Index i, Logs& logs) { c.on_epoch_end(run, i, logs); });
    if constexpr (
        requires { &C::on_train_batch_begin; } ||
        requires(C & c, Run & run, Logs & logs) { c.on_train_batch_begin(run, 0, logs); })
      set(Hook::train_batch_begin, [](C& c, Run& run, Index i, Logs& logs) { c.on_train_batch_begin(run, i, logs); });
    if constexpr (
        requires { &C::on_train_batch_end; } ||
        requires(C & c, Run & run, Logs & logs) { c.on_train_batch_end(run, 0, logs); })
      set(Hook::train_batch_end, [](C& c, Run& run, Index i, Logs& logs) { c.on_train_batch_end(run, i, logs); });
    if constexpr (
        requires { &C::on_test_batch_begin; } ||
        requires(C & c, Run & run, Logs & logs) { c.on_test_batch_begin(run, 0, logs); })
      set(Hook::test_batch_begin, [](C& c, Run& run, Index i, Logs& logs) { c.on_test_batch_begin(run, i, logs); });
    if constexpr (
        requires { &C::on_test_batch_end; } ||
        requires(C & c, Run & run, Logs & logs) { c.on_test_batch_end(run, 0, logs); })
      set(Hook::test_batch_end, [](C& c, Run& run, Index i, Logs& logs) { c.on_test_batch_end(run, i, logs); });
    if constexpr (
        requires { &C::on_predict_batch_begin; } ||
        requires(C & c, Run & run, Logs & logs) { c.on_predict_batch_begin(run, 0, logs); })
      set(Hook::predict_batch_begin,
          [](C& c, Run& run, Index i, Logs& logs) { c.on_predict_batch_begin(run, i, logs); });
    if constexpr (
        requires { &C::on_predict_batch_end; } ||
        requires(C & c, Run & run, Logs & logs) { c.on_predict_batch_end(run, 0, logs); })
      set(Hook::predict_batch_end, [](C& c, Run& run, Index i, Logs& logs) { c.on_predict_batch_end(run, i, logs); });
  }

 private:
  constexpr void set(Hook hook, Call call) {
    calls_[static_cast<std::size_t>(hook)] = call;
    any_ = true;
  }

  std::array<Call, static_cast<std::size_t>(Hook::predict_batch_end) + 1> calls_{};
  bool any_ = false;
};
template <class C>
constexpr HooksOf<C> hooks_of;

template <class C>
constexpr void check_callback() {
  check_names_of_hooks<C>();
  static_assert(hooks_of<C>.any(),
                "this is not a callback: a callback has at least one hook, such as void on_epoch_end(Run& run, Index "
                "epoch, Logs& logs); see cornu/models/callbacks/callback.h");
}

template <class C>
constexpr bool is_on_every_rank() {
  if constexpr (requires { C::on_every_rank; }) {
    return C::on_every_rank;
  } else {
    return false;
  }
}

template <class C>
void call_hook(C& callback, Hook hook, Run& run, Index index, Logs& logs) {
  if (const auto call = hooks_of<C>[hook]) call(callback, run, index, logs);
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
  bool handles(Hook hook) const { return box_->handles(hook); }
  /// In a distributed run, callbacks are called on rank 0 alone, unless they declare
  /// `static constexpr bool on_every_rank = true`.
  bool on_every_rank() const { return box_->on_every_rank(); }
  /// Lets `visit` write or read the callback's state, if it has `void state(auto& visit)`, which names each value as
  /// `options` does. A resumed run (BackupAndRestore) restores it.
  void state(OptionVisitor& visit) { box_->state(visit); }

 private:
  struct Box : detail::Cloneable<Box> {
    virtual void call(Hook hook, Run& run, Index index, Logs& logs) = 0;
    virtual bool handles(Hook hook) const = 0;
    virtual bool on_every_rank() const = 0;
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
    bool handles(Hook hook) const override { return detail::hooks_of<C>[hook] != nullptr; }
    bool on_every_rank() const override { return detail::is_on_every_rank<C>(); }
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
    bool handles(Hook hook) const override { return detail::hooks_of<C>[hook] != nullptr; }
    bool on_every_rank() const override { return detail::is_on_every_rank<C>(); }
    void state(OptionVisitor& visit) override {
      if constexpr (requires { callback->state(visit); }) callback->state(visit);
    }
  };

  detail::DeepPtr<Box> box_;
};

}  // namespace cornu
