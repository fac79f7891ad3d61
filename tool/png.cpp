#include "cornu/core/error.h"
#include "cornu/tool/image.h"

#ifdef CORNU_HAS_PNG
#include <png.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#endif

namespace cornu::tool {

#ifdef CORNU_HAS_PNG

namespace {

/// Wraps libpng, which reports errors by longjmp: functions that call it must have no locals with destructors.
class PngReader {
 public:
  PngReader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &on_error, &on_warning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw FormatError(message("{}: libpng cannot be started", name));
    }
    png_set_read_fn(png_, this, &read);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  void read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) fail();
    png_read_info(png_, info_);
    png_set_expand(png_);  // palettes become colours, low bit depths 8 bits, and transparent colours alpha
    png_set_scale_16(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }
  Index width() const { return png_get_image_width(png_, info_); }
  Index height() const { return png_get_image_height(png_, info_); }
  Index channels() const { return png_get_channels(png_, info_); }  ///< 1: grey, 3: colour; plus 1 for alpha

  void read_pixels(std::vector<png_bytep>& rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) fail();
    png_read_image(png_, rows.data());
  }

 private:
  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    auto& error = static_cast<PngReader*>(png_get_error_ptr(png))->error_;
    std::snprintf(error.data(), error.size(), "%s", text);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void read(png_structp png, png_bytep to, std::size_t count) {
    auto& bytes = static_cast<PngReader*>(png_get_io_ptr(png))->bytes_;
    if (count > bytes.size()) png_error(png, "the file is truncated");
    std::memcpy(to, bytes.data(), count);
    bytes = bytes.subspan(count);
  }
  [[noreturn]] void fail() const { throw FormatError(message("{}: {}", name_, error_.data())); }

  std::span<const std::byte> bytes_;  // the bytes not yet read
  const std::string& name_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::array<char, 256> error_{};
};

/// Writes a pixel as `to_channels` values, blended with white if it is transparent.
void put_pixel(const png_byte* from, Index from_channels, std::uint16_t* to, Index to_channels) {
  const bool has_alpha = from_channels % 2 == 0;
  const int alpha = has_alpha ? from[from_channels - 1] : 255;
  const auto on_white = [&](Index channel) {
    const int value = from[from_channels < 3 ? 0 : channel];
    return (value * alpha + 255 * (255 - alpha) + 127) / 255;
  };
  if (to_channels == 3) {
    for (Index c = 0; c < 3; ++c) to[c] = static_cast<std::uint16_t>(on_white(c));
  } else {
    *to = static_cast<std::uint16_t>(grey_of(on_white(0), on_white(1), on_white(2)));
  }
}

}  // namespace

Image read_png(std::span<const std::byte> bytes, const std::string& name, Index channels, const SizeCheck& check) {
  PngReader reader(bytes, name);
  reader.read_header();
  Image result{.width = reader.width(), .height = reader.height(), .channels = channels};
  check(result.height, result.width);
  // Deflate expands a byte to at most 1032, and a byte holds at most 8 pixels.
  constexpr Index most_from_a_byte = 8 * 1032;
  require<FormatError>(result.width <= most_from_a_byte * std::ssize(bytes) / result.height,
                       "{}: {} x {} pixels cannot come from {} bytes", name, result.width, result.height, bytes.size());
  const Index each = reader.channels(), pixels = result.width * result.height;
  std::vector<png_byte> values(static_cast<std::size_t>(pixels * each));
  std::vector<png_bytep> rows;
  for (Index row = 0; row < result.height; ++row) rows.push_back(values.data() + row * result.width * each);
  reader.read_pixels(rows);
  result.values.resize(static_cast<std::size_t>(pixels * channels));
  for (Index i = 0; i < pixels; ++i) {
    put_pixel(values.data() + i * each, each, result.values.data() + i * channels, channels);
  }
  return result;
}

#else

Image read_png(std::span<const std::byte>, const std::string& name, Index, const SizeCheck&) {
  throw FormatError(
      message("{}: a PNG image, but this program was built without libpng; convert the image to PGM", name));
}

#endif

}  // namespace cornu::tool
