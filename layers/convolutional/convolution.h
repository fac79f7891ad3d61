#pragma once

#include <string_view>

#include "cornu/core/shape.h"

/// Checks that the builds of convolutions share.
namespace cornu::detail {

/// Throws ShapeError unless a sample is (height, width, channels) with at least one channel.
void require_convolved_image(std::string_view layer, const Shape& sample);

/// Throws ValueError unless `groups` divides channels and filters.
void require_groups(std::string_view layer, Index groups, Index channels, Index filters);

}  // namespace cornu::detail
