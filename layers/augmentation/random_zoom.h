#pragma once

#include <optional>

#include "cornu/layers/augmentation/random_images.h"

namespace cornu {

/// In training, each image is zoomed around its middle: a factor f shows 1 + f times as much, so that positive ones
/// zoom out and negative ones in. A batch of images; see random_images.h. Throws ValueError for factors outside of -1
/// to 10.
struct RandomZoom {
  RandomFactor height_factor;
  std::optional<RandomFactor> width_factor{};  ///< without it, the width is zoomed as the height is
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
