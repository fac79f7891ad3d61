#pragma once

#include <cstdint>
#include <span>

#include "cornu/core/random.h"

namespace cornu::datasets::detail {

inline constexpr Index digit_side = 28;
inline constexpr Index digit_pixels = digit_side * digit_side;

/// Draws `digit` (0 to 9) with variations chosen by `rng`: 28x28 grey pixels, row by row, ink 255 on paper 0.
void draw_digit(int digit, Rng& rng, std::span<std::uint8_t, digit_pixels> pixels);

}  // namespace cornu::datasets::detail
