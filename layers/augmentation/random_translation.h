#pragma once

#include "cornu/layers/augmentation/random_images.h"

namespace cornu {

/// In training, shifts each image down by a random fraction of its height and right by a random fraction of its width;
/// negative values shift up and left. Input: a batch of images, see random_images.h.
/// Throws ValueError for factors outside [-1, 1].
struct RandomTranslation {
  RandomFactor height_factor, width_factor;
  FillMode fill_mode = FillMode::reflect;
  double fill_value = 0;

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  void options(auto& visit) { detail::visit_two_factors(*this, visit); }
};

}  // namespace cornu
