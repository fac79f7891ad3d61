#pragma once

#include <optional>

#include "cornu/layers/augmentation/random_images.h"

namespace cornu {

/// In training, zooms each image about its centre. A factor f shows 1 + f times as much of the image: positive values
/// zoom out, negative values zoom in. Input: a batch of images, see random_images.h. Throws ValueError for factors
/// outside [-1, 10].
struct RandomZoom {
  RandomFactor height_factor;
  std::optional<RandomFactor> width_factor{};  ///< if not given, the width is zoomed like the height
  FillMode fill_mode = FillMode::reflect;
  double fill_value = 0;

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  void options(auto& visit) { detail::visit_two_factors(*this, visit); }
};

}  // namespace cornu
