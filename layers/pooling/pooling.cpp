#include "cornu/layers/pooling/pooling.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"

namespace cornu::detail {

Shape pooled_shape(const char* layer, const Shape& sample, Size2D pool_size, const Pool2DOptions& options) {
  require(sample.rank() == 3, "{}: a sample of shape {}; (height, width, channels) is required", layer, sample);
  detail::require_padding_of_images(layer, options.padding);
  const detail::Window window(layer, sample.batched(1), pool_size, options);
  return window.result(window.channels).sub(1);
}

}  // namespace cornu::detail
