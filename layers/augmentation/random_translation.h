#pragma once

#include "cornu/layers/augmentation/random_images.h"

namespace cornu {

/// In training, each image is moved down by a random fraction of its height and to the right by one of its width,
/// negative ones up and to the left. A batch of images; see random_images.h.
/// Throws ValueError for factors outside of -1 to 1.
struct RandomTranslation {
  RandomFactor height_factor, width_factor;
  FillMode fill_mode = FillMode::reflect;
  double fill_value = 0;

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  void options(auto& visit) {
    visit("height_factor", height_factor);
    visit("width_factor", width_factor);
    visit("fill_mode", fill_mode);
    visit("fill_value", fill_value);
  }
};

}  // namespace cornu
