#pragma once

#include "cornu/core/ops/images.h"

/// Shared by MaxPooling2D and AveragePooling2D.
namespace cornu::detail {

template <class L>
void visit_pooling_options(L& layer, auto& visit) {
  visit("pool_size", layer.pool_size);
  visit("strides", layer.strides);
  visit("padding", layer.padding);
}

/// The shape of an output sample. Throws what the layers document.
Shape pooled_shape(const char* layer, const Shape& sample, Size2D pool_size, const Pool2DOptions& options);

}  // namespace cornu::detail
