#include "cornu/layers/augmentation/random_rotation.h"

#include <cmath>
#include <numbers>

namespace cornu {

Shape RandomRotation::build(const Shape& input, Rng&) {
  detail::require_factor("RandomRotation", "factor", factor, -1, 1);
  detail::require_image("RandomRotation", input);
  return input;
}

Var RandomRotation::forward(Var x) const {
  return detail::randomly_mapped("RandomRotation", x, {fill_mode, fill_value}, [&](Rng& rng) {
    const double angle = factor.draw(rng) * 2 * std::numbers::pi;
    // Counter-clockwise with y pointing down: an output pixel to the right of the centre is read from below it.
    return detail::ImageMap{
        .xx = std::cos(angle), .xy = -std::sin(angle), .yx = std::sin(angle), .yy = std::cos(angle)};
  });
}

}  // namespace cornu
