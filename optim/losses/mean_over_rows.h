#pragma once

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/error.h"
#include "cornu/core/kernels/lanes.h"
#include "cornu/core/shape_hints.h"
#include "cornu/optim/losses/loss_checks.h"

/// The common part of the losses that compute their gradients themselves; internal to optim.
namespace cornu::detail {

/// Computes the losses and gradients of `count` rows, from row `first` on. A non-owning reference to a function (first,
/// count, x, slopes, losses).
class RowBlock {
 public:
  template <class F>
  RowBlock(const F& f)
      : function_(&f), call_([](const void* g, Index first, Index count, const Real* x, Real* slopes, double* losses) {
          (*static_cast<const F*>(g))(first, count, x, slopes, losses);
        }) {}
  void operator()(Index first, Index count, const Real* x, Real* slopes, double* losses) const {
    call_(function_, first, count, x, slopes, losses);
  }

 private:
  const void* function_;
  void (*call_)(const void*, Index, Index, const Real*, Real*, double*);
};

/// The number of losses that share a weight. Throws ShapeError unless the weights have the shape of the losses or of
/// their first axes, ignoring trailing axes of 1.
Index losses_per_weight(const char* name, const Shape& losses, ConstView weights);

/// The mean over rows of `width` elements of x, each with one loss. `rows` is the shape
/// of the losses, (batch, ...), or () if x is a single row.
Var mean_over_rows(const char* name, Var x, const Shape& rows, Index width, ConstView weights, const RowBlock& block);

/// The mean over all elements: element(x, truth, slope) returns the loss of one element and sets its gradient, `slope`.
template <class Element>
Var mean_over_elements(const char* name, Var x, ConstView y_true, ConstView weights, Element element) {
  require(alike(x.shape(), y_true.shape()), "{}: predictions are {} and targets {}; equal shapes are required{}", name,
          x.shape(), y_true.shape(), prediction_hint(x.shape(), y_true.shape()));
  return mean_over_rows(name, x, x.shape(), 1, weights,
                        [=](Index first, Index count, const Real* values, Real* slopes, double* losses) {
                          vectorized([=, truth = y_true.data() + first] {
                            for (Index i = 0; i < count; ++i) {
                              losses[i] = static_cast<double>(element(values[i], truth[i], slopes[i]));
                            }
                          });
                        });
}

/// A loss of tensors, without a tape.
template <class Options>
Tensor eagerly(Var (*loss)(Var, ConstView, const Options&), const Tensor& y_pred, ConstView y_true,
               const Options& options) {
  Tape tape(Mode::inference);
  return Tensor(loss(tape.input(y_pred), y_true, options).value());
}

}  // namespace cornu::detail
