#include "cornu/layers/augmentation/random_flip.h"

namespace cornu {

Shape RandomFlip::build(const Shape& input, Rng&) {
  detail::require_image("RandomFlip", input);
  return input;
}

Var RandomFlip::forward(Var x) const {
  return detail::randomly_mapped("RandomFlip", x, {}, [&](Rng& rng) {
    const std::uint64_t bits = rng.bits();
    return detail::ImageMap{.xx = mode != vertical && (bits & 1) != 0 ? -1.0 : 1.0,
                            .yy = mode != horizontal && (bits & 2) != 0 ? -1.0 : 1.0};
  });
}

}  // namespace cornu
