#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/shape.h"

namespace cornu::tool {

/// Pixels row by row, their channels beside each other, from 0, which is black, to `largest`.
struct Image {
  Index width = 0, height = 0;
  Index channels = 1;  ///< 1: grey; 3: red, green, blue
  Index largest = 255;
  std::vector<std::uint16_t> values{};
};

/// The grey of a colour of 8 bits: the luma of ITU-R BT.601, .299 R + .587 G + .114 B, without gamma, rounded as PIL's
/// `convert("L")` does.
constexpr int grey_of(int red, int green, int blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}

/// Hears an image's height and width before room is made for its pixels, and refuses by throwing.
using SizeCheck = std::function<void(Index height, Index width)>;

/// A PGM image, P2 or P5, of 8 or 16 bits. `name` stands for the file in errors. Throws FormatError for whatever breaks
/// the format: a header that does not end, pixels too few, too many or too bright. Takes no more memory than twice the
/// bytes that there are. Source: netpbm's pgm(5).
Image read_pgm(std::span<const std::byte> bytes, const std::string& name, const SizeCheck& check);

/// A PNG image by libpng, with 1 or 3 channels of 8 bits. The values are those in the file, whatever it says of gamma
/// and colour profiles; transparent pixels are blended with white. Throws FormatError with libpng's message for a
/// damaged file, and if this program was built without libpng.
/// Source: W3C, "Portable Network Graphics (PNG) Specification".
Image read_png(std::span<const std::byte> bytes, const std::string& name, Index channels, const SizeCheck& check);

}  // namespace cornu::tool
