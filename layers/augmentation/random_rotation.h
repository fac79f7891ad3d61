#pragma once

#include "cornu/layers/augmentation/random_images.h"

namespace cornu {

/// In training, rotates each image about its centre by a random angle, counter-clockwise, in fractions of a full turn:
/// `RandomRotation{0.05}` rotates by up to 18 degrees either way. Input: a batch of images, see random_images.h.
/// Throws ValueError for a factor outside [-1, 1].
struct RandomRotation {
  RandomFactor factor;
  FillMode fill_mode = FillMode::reflect;
  double fill_value = 0;

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  void options(auto& visit) {
    visit("factor", factor);
    visit("fill_mode", fill_mode);
    visit("fill_value", fill_value);
  }
};

}  // namespace cornu
