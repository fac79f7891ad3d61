#include "cornu/core/error.h"
#include "cornu/tool/image.h"

#ifdef CORNU_HAS_PNG
#include <png.h>
#endif

namespace cornu::tool {

#ifdef CORNU_HAS_PNG

namespace {

/// What libpng keeps of a file that it reads.
struct PngImage {
  png_image image{};
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
};

}  // namespace

Image read_png(std::span<const std::byte> bytes, const std::string& name, Index channels, const SizeCheck& check) {
  PngImage png;
  const bool begun = png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) != 0;
  require<FormatError>(begun, "{}: {}", name, png.image.message);
  png.image.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png.image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16 bits mean what 8 bits mean, only finer
  Image result{.width = static_cast<Index>(png.image.width),
               .height = static_cast<Index>(png.image.height),
               .channels = channels};
  check(result.height, result.width);
  // Deflate makes at most 1032 bytes of one, and the smallest pixels are 8 to a byte.
  constexpr Index most_from_a_byte = 8 * 1032;
  require<FormatError>(result.width <= most_from_a_byte * std::ssize(bytes) / result.height,
                       "{}: {} x {} pixels cannot come from {} bytes", name, result.width, result.height, bytes.size());
  std::vector<png_byte> pixels(PNG_IMAGE_SIZE(png.image));
  constexpr png_color white{255, 255, 255};
  const bool read = png_image_finish_read(&png.image, &white, pixels.data(), 0, nullptr) != 0;
  require<FormatError>(read, "{}: {}", name, png.image.message);
  result.values.assign(pixels.begin(), pixels.end());
  return result;
}

#else

Image read_png(std::span<const std::byte>, const std::string& name, Index, const SizeCheck&) {
  throw FormatError(message("{}: a PNG image, and this program was built without libpng; PGM it reads", name));
}

#endif

}  // namespace cornu::tool
