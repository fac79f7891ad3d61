#pragma once

#include "cornu/core/compiler.h"

/// Compile-time checks that reject a struct whose misspelt hooks would silently never be called.
namespace cornu::detail {

template <class C>
constexpr bool misspells_epoch_begin = requires {
  &C::on_epoch_begins;
}
|| requires { &C::on_epoch_start; }
|| requires { &C::on_epoch_starts; }
|| requires { &C::on_epoch_started; }
|| requires { &C::on_epochs_begin; }
|| requires { &C::on_train_epoch_begin; }
|| requires { &C::on_train_epoch_start; }
|| requires { &C::onEpochBegin; }
|| requires { &C::onEpochStart; };
template <class C>
constexpr bool misspells_epoch_end = requires {
  &C::on_epoch_ends;
}
|| requires { &C::on_epoch_ended; }
|| requires { &C::on_epoch_finish; }
|| requires { &C::on_epoch_finished; }
|| requires { &C::on_epoch_stop; }
|| requires { &C::on_epoch_done; }
|| requires { &C::on_epochs_end; }
|| requires { &C::on_train_epoch_end; }
|| requires { &C::onEpochEnd; };
template <class C>
constexpr bool misspells_train_begin = requires {
  &C::on_train_begins;
}
|| requires { &C::on_train_start; }
|| requires { &C::on_train_starts; }
|| requires { &C::on_train_started; }
|| requires { &C::on_training_begin; }
|| requires { &C::on_training_start; }
|| requires { &C::on_fit_begin; }
|| requires { &C::on_fit_start; }
|| requires { &C::onTrainBegin; }
|| requires { &C::onTrainStart; };
template <class C>
constexpr bool misspells_train_end = requires {
  &C::on_train_ends;
}
|| requires { &C::on_train_ended; }
|| requires { &C::on_train_finish; }
|| requires { &C::on_train_finished; }
|| requires { &C::on_train_stop; }
|| requires { &C::on_training_end; }
|| requires { &C::on_fit_end; }
|| requires { &C::onTrainEnd; };
template <class C>
constexpr bool misspells_train_batch_begin = requires {
  &C::on_batch_begin;
}
|| requires { &C::on_batch_begins; }
|| requires { &C::on_batch_start; }
|| requires { &C::on_train_batch_begins; }
|| requires { &C::on_train_batch_start; }
|| requires { &C::on_train_batches_begin; }
|| requires { &C::on_step_begin; }
|| requires { &C::on_train_step_begin; }
|| requires { &C::onBatchBegin; }
|| requires { &C::onTrainBatchBegin; };
template <class C>
constexpr bool misspells_train_batch_end = requires {
  &C::on_batch_end;
}
|| requires { &C::on_batch_ends; }
|| requires { &C::on_batch_finish; }
|| requires { &C::on_train_batch_ends; }
|| requires { &C::on_train_batch_finish; }
|| requires { &C::on_train_batches_end; }
|| requires { &C::on_step_end; }
|| requires { &C::on_train_step_end; }
|| requires { &C::onBatchEnd; }
|| requires { &C::onTrainBatchEnd; };
template <class C>
constexpr bool misspells_test_begin = requires {
  &C::on_test_begins;
}
|| requires { &C::on_test_start; }
|| requires { &C::on_evaluate_begin; }
|| requires { &C::on_evaluation_begin; }
|| requires { &C::on_validation_begin; }
|| requires { &C::on_validation_start; }
|| requires { &C::on_val_begin; }
|| requires { &C::onTestBegin; };
template <class C>
constexpr bool misspells_test_end = requires {
  &C::on_test_ends;
}
|| requires { &C::on_test_finish; }
|| requires { &C::on_evaluate_end; }
|| requires { &C::on_evaluation_end; }
|| requires { &C::on_validation_end; }
|| requires { &C::on_val_end; }
|| requires { &C::onTestEnd; };
template <class C>
constexpr bool misspells_test_batch_begin = requires {
  &C::on_test_batch_begins;
}
|| requires { &C::on_test_batch_start; }
|| requires { &C::on_validation_batch_begin; }
|| requires { &C::on_validation_batch_start; }
|| requires { &C::on_val_batch_begin; }
|| requires { &C::onTestBatchBegin; };
template <class C>
constexpr bool misspells_test_batch_end = requires {
  &C::on_test_batch_ends;
}
|| requires { &C::on_test_batch_finish; }
|| requires { &C::on_validation_batch_end; }
|| requires { &C::on_val_batch_end; }
|| requires { &C::onTestBatchEnd; };
template <class C>
constexpr bool misspells_predict_begin = requires {
  &C::on_predict_begins;
}
|| requires { &C::on_predict_start; }
|| requires { &C::on_prediction_begin; }
|| requires { &C::onPredictBegin; };
template <class C>
constexpr bool misspells_predict_end = requires {
  &C::on_predict_ends;
}
|| requires { &C::on_predict_finish; }
|| requires { &C::on_prediction_end; }
|| requires { &C::onPredictEnd; };
template <class C>
constexpr bool misspells_predict_batch_begin = requires {
  &C::on_predict_batch_begins;
}
|| requires { &C::on_predict_batch_start; }
|| requires { &C::onPredictBatchBegin; };
template <class C>
constexpr bool misspells_predict_batch_end = requires {
  &C::on_predict_batch_ends;
}
|| requires { &C::on_predict_batch_finish; }
|| requires { &C::onPredictBatchEnd; };

template <class C>
constexpr void check_names_of_hooks() {
  static_assert(!misspells_epoch_begin<C>,
                "this callback has a function that is never called: the hook is on_epoch_begin");
  static_assert(!misspells_epoch_end<C>, "this callback has a function that is never called: the hook is on_epoch_end");
  static_assert(!misspells_train_begin<C>,
                "this callback has a function that is never called: the hook is on_train_begin");
  static_assert(!misspells_train_end<C>, "this callback has a function that is never called: the hook is on_train_end");
  static_assert(!misspells_train_batch_begin<C>,
                "this callback has a function that is never called: the hook is on_train_batch_begin");
  static_assert(!misspells_train_batch_end<C>,
                "this callback has a function that is never called: the hook is on_train_batch_end");
  static_assert(!misspells_test_begin<C>,
                "this callback has a function that is never called: the hook is on_test_begin");
  static_assert(!misspells_test_end<C>, "this callback has a function that is never called: the hook is on_test_end");
  static_assert(!misspells_test_batch_begin<C>,
                "this callback has a function that is never called: the hook is on_test_batch_begin");
  static_assert(!misspells_test_batch_end<C>,
                "this callback has a function that is never called: the hook is on_test_batch_end");
  static_assert(!misspells_predict_begin<C>,
                "this callback has a function that is never called: the hook is on_predict_begin");
  static_assert(!misspells_predict_end<C>,
                "this callback has a function that is never called: the hook is on_predict_end");
  static_assert(!misspells_predict_batch_begin<C>,
                "this callback has a function that is never called: the hook is on_predict_batch_begin");
  static_assert(!misspells_predict_batch_end<C>,
                "this callback has a function that is never called: the hook is on_predict_batch_end");
}

}  // namespace cornu::detail
