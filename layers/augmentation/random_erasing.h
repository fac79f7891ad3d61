#pragma once

#include <optional>

#include "cornu/layers/augmentation/random_images.h"

namespace cornu {

/// In training, a rectangle of each image is filled with something else (Zhong et al., 2020), with a probability that
/// is itself drawn from `factor` for each image. Its width and height are the square roots of two numbers drawn from
/// `scale`, as fractions of the image's. One number for either is the most that it may be, from 0 on. A batch of
/// images; see random_images.h. An erased NaN stays NaN. Throws ValueError for probabilities and scales above 1 and for
/// a value_range that is none.
struct RandomErasing {
  RandomFactor factor{0, 1};
  RandomFactor scale{0.02, 0.33};
  std::optional<double> fill_value{};  ///< without it normal noise, times the highest of value_range
  RandomFactor value_range{0, 255};    ///< what fills is cut off here

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
