#include "cornu/layers/augmentation/random_zoom.h"

namespace cornu {

Shape RandomZoom::build(const Shape& input, Rng&) {
  detail::require_factor("RandomZoom", "height_factor", height_factor, -1, 10);
  if (width_factor) detail::require_factor("RandomZoom", "width_factor", *width_factor, -1, 10);
  detail::require_image("RandomZoom", input);
  return input;
}

Var RandomZoom::forward(Var x) const {
  return detail::randomly_mapped("RandomZoom", x, {fill_mode, fill_value}, [&](Rng& rng) {
    const double height = 1 + height_factor.draw(rng);
    return detail::ImageMap{.xx = width_factor ? 1 + width_factor->draw(rng) : height, .yy = height};
  });
}

}  // namespace cornu
