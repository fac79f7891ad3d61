#pragma once

#include <array>
#include <string_view>

#include "cornu/layers/augmentation/random_images.h"

namespace cornu {

/// In training, mirrors each image with probability 1/2: left to right (horizontal), top to bottom (vertical), or each
/// independently. Input: a batch of images, see random_images.h.
struct RandomFlip {
  enum Mode { horizontal, vertical, horizontal_and_vertical };

  Mode mode = horizontal_and_vertical;

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  void options(auto& visit) { visit("mode", mode); }
};
constexpr std::array<std::string_view, 3> option_names(RandomFlip::Mode) {
  return {"horizontal", "vertical", "horizontal_and_vertical"};
}

}  // namespace cornu
