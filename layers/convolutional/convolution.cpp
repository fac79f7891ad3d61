#include "cornu/layers/convolutional/convolution.h"

#include "cornu/core/error.h"

namespace cornu::detail {

void require_convolved_image(std::string_view layer, const Shape& sample) {
  require(sample.rank() == 3 && sample[2] > 0,
          "{}: a sample of shape {}; (height, width, channels) is required (is a Reshape missing?)", layer, sample);
}

void require_groups(std::string_view layer, Index groups, Index channels, Index filters) {
  require<ValueError>(groups > 0 && channels % groups == 0 && filters % groups == 0,
                      "{}: groups is {}; it must divide {} channels and {} filters", layer, groups, channels, filters);
}

}  // namespace cornu::detail
