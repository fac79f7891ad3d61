#pragma once

#include <optional>

#include "cornu/layers/augmentation/random_images.h"

namespace cornu {

/// In training, fills a random rectangle of each image (random erasing, Zhong et al., 2020). For each image the
/// probability of erasing is drawn from `factor`. Width and height, as fractions of the image's, are the square roots
/// of two values drawn from `scale`. In both options a negative lower bound counts as 0, so 0.5 means [0, 0.5].
/// Input: a batch of images, see random_images.h. Erased NaN and infinities become NaN. Throws ValueError for a factor
/// or scale above 1 and for an invalid range.
struct RandomErasing {
  RandomFactor factor{0, 1};
  RandomFactor scale{0.02, 0.33};
  std::optional<double> fill_value{};  ///< if not given, standard normal noise times value_range's upper end
  RandomFactor value_range{0, 255};    ///< the fill is clamped to this range

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  void options(auto& visit) {
    visit("factor", factor);
    visit("scale", scale);
    visit("fill_value", fill_value);
    visit("value_range", value_range);
  }
};

}  // namespace cornu
