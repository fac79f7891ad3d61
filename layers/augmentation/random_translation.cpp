#include "cornu/layers/augmentation/random_translation.h"

namespace cornu {

Shape RandomTranslation::build(const Shape& input, Rng&) {
  detail::require_factor("RandomTranslation", "height_factor", height_factor, -1, 1);
  detail::require_factor("RandomTranslation", "width_factor", width_factor, -1, 1);
  detail::require_image("RandomTranslation", input);
  return input;
}

Var RandomTranslation::forward(Var x) const {
  return detail::randomly_mapped("RandomTranslation", x, {fill_mode, fill_value}, [&](Rng& rng) {
    const double down = height_factor.draw(rng) * static_cast<double>(x.shape()[1]);
    const double right = width_factor.draw(rng) * static_cast<double>(x.shape()[2]);
    return detail::ImageMap{.right = right, .down = down};
  });
}

}  // namespace cornu
