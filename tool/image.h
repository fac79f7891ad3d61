#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/shape.h"

namespace cornu::tool {

/// Pixels row by row with interleaved channels, from 0 (black) to `largest`.
struct Image {
  Index width = 0, height = 0;
  Index channels = 1;  ///< 1: grey; 3: red, green, blue
  Index largest = 255;
  std::vector<std::uint16_t> values{};
};

/// The grey value of an 8-bit colour: the luma of ITU-R BT.601, .299 R + .587 G + .114 B, without gamma correction,
/// rounded like PIL's `convert("L")`.
constexpr int grey_of(int red, int green, int blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}

/// Called with an image's height and width before its pixels are allocated; throws to refuse the size.
using SizeCheck = std::function<void(Index height, Index width)>;

/// Reads a PGM image, P2 or P5, of 8 or 16 bits. Errors call it `name`. Throws FormatError for a malformed file: a
/// truncated header, too few or too many pixels, a pixel above the maximum. Allocates at most twice the size of
/// `bytes`. Source: netpbm's pgm(5).
Image read_pgm(std::span<const std::byte> bytes, const std::string& name, const SizeCheck& check);

/// Reads a PNG image with libpng, as 1 or 3 channels of 8 bits. Gamma and colour profiles are ignored; transparent
/// pixels are blended with white. Throws FormatError for a damaged file, with libpng's message, and if the program was
/// built without libpng.
/// Source: W3C, "Portable Network Graphics (PNG) Specification".
Image read_png(std::span<const std::byte> bytes, const std::string& name, Index channels, const SizeCheck& check);

}  // namespace cornu::tool
