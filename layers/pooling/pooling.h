#pragma once

#include "cornu/core/ops/images.h"
#include "cornu/core/ops/ops.h"

/// Shared by the pooling layers.
namespace cornu::detail {

template <class L>
void visit_pooling_options(L& layer, auto& visit) {
  visit("pool_size", layer.pool_size);
  visit("strides", layer.strides);
  visit("padding", layer.padding);
}

// Each of these throws what the layers document. `layer`: the name of the struct. `op`: the name in a trace.

/// The shape of an output sample of a layer that pools images.
Shape pooled_shape(const char* layer, const Shape& sample, Size2D pool_size, const Pool2DOptions& options);

/// The windows of a layer that pools sequences, as images of one row.
struct Pool1D {
  Index pool_size, strides;
  Padding padding;

  Shape build(const char* layer, const Shape& sample) const;
  Var forward(const char* layer, const char* op, Var (*pool)(Var, Size2D, const Pool2DOptions&), Var x) const;
};

/// A layer that reduces all positions of a sample, which has `axes` axes of them before its features.
struct GlobalPool {
  Index axes;  ///< 1: steps, 2: height and width
  bool keepdims;

  Shape build(const char* layer, const Shape& sample) const;
  Var forward(const char* layer, const char* op, Var (*reduce)(Var, Index, const ReduceOptions&), Var x) const;
};

}  // namespace cornu::detail
