// Further forms of the losses in losses.cpp: functions of tensors, and the structs for `compile`.

#include "cornu/core/tape.h"
#include "cornu/optim/losses/losses.h"

namespace cornu {

namespace {

template <class Options>
Tensor eagerly(Var (*loss)(Var, ConstView, const Options&), const Tensor& y_pred, ConstView y_true,
               const Options& options) {
  Tape tape(Mode::inference);
  return Tensor(loss(tape.input(y_pred), y_true, options).value());
}

}  // namespace

Tensor sparse_categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options) {
  return eagerly(sparse_categorical_crossentropy, y_pred, y_true, options);
}

Tensor categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options) {
  return eagerly(categorical_crossentropy, y_pred, y_true, options);
}

Tensor binary_crossentropy(const Tensor& y_pred, ConstView y_true, const BinaryOptions& options) {
  return eagerly(binary_crossentropy, y_pred, y_true, options);
}

Tensor mean_squared_error(const Tensor& y_pred, ConstView y_true, const RegressionOptions& options) {
  return eagerly(mean_squared_error, y_pred, y_true, options);
}

Var SparseCategoricalCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return sparse_categorical_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

Var CategoricalCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return categorical_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

Var BinaryCrossentropy::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return binary_crossentropy(y_pred, y_true, {from_logits, label_smoothing, sample_weight});
}

Var MeanSquaredError::operator()(Var y_pred, ConstView y_true, ConstView sample_weight) const {
  return mean_squared_error(y_pred, y_true, {sample_weight});
}

}  // namespace cornu
