#include <string_view>

#include "cornu/core/error.h"
#include "cornu/tool/image.h"

namespace cornu::tool {

namespace {

class PgmReader {
 public:
  PgmReader(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  Image read(const SizeCheck& check) {
    const bool plain = begins("P2");
    require<FormatError>(plain || begins("P5"), "{}: not a PGM image, it does not begin with P2 or P5", name_);
    at_ = 2;
    Image image;
    image.width = number("the width", most_pixels);
    image.height = number("the height", most_pixels);
    image.largest = number("the largest value", 65535);
    require<FormatError>(image.width > 0 && image.height > 0 && image.largest > 0,
                         "{}: {} x {} pixels of up to {}; all three must be positive", name_, image.width, image.height,
                         image.largest);
    check(image.height, image.width);
    if (plain) {
      read_plain(image);
    } else {
      read_raw(image);
    }
    return image;
  }

 private:
  static constexpr Index most_pixels = Index{1} << 30;

  bool begins(std::string_view magic) const {
    return bytes_.size() > 1 && static_cast<char>(bytes_[0]) == magic[0] && static_cast<char>(bytes_[1]) == magic[1];
  }
  Index left() const { return std::ssize(bytes_) - static_cast<Index>(at_); }
  char next() const { return at_ < bytes_.size() ? static_cast<char>(bytes_[at_]) : '\0'; }
  bool at_space() const { return std::string_view(" \t\r\n\v\f").find(next()) != std::string_view::npos; }
  bool at_digit() const { return next() >= '0' && next() <= '9'; }

  void skip_space() {
    while (at_space() || next() == '#') {
      if (next() == '#') {
        while (at_ < bytes_.size() && next() != '\n' && next() != '\r') ++at_;
      } else {
        ++at_;
      }
    }
  }

  Index number(const char* what, Index most) {
    require<FormatError>(at_space() || next() == '#', "{}: {} is missing after byte {}", name_, what, at_);
    skip_space();
    require<FormatError>(at_digit(), "{}: {} is missing at byte {}", name_, what, at_);
    Index value = 0;
    for (; at_digit(); ++at_) {
      value = value * 10 + (next() - '0');
      require<FormatError>(value <= most, "{}: {} is more than {}", name_, what, most);
    }
    return value;
  }

  /// Allocates the pixels. Each takes at least `bytes_each` bytes of the file, which bounds the size that a header can
  /// claim.
  void make_room(Image& image, Index bytes_each) const {
    const Index most = left() / bytes_each;
    require<FormatError>(image.width <= most / image.height,
                         "{}: {} x {} pixels in {} bytes; a pixel takes at least {}", name_, image.width, image.height,
                         left(), bytes_each);
    image.values.resize(static_cast<std::size_t>(image.width * image.height));
  }

  void read_plain(Image& image) {
    make_room(image, 2);  // a pixel is at least a space and a digit
    for (std::uint16_t& value : image.values) value = static_cast<std::uint16_t>(number("a pixel", image.largest));
    skip_space();
    require_end();
  }

  void read_raw(Image& image) {
    require<FormatError>(at_space(), "{}: a space is missing before the pixels, at byte {}", name_, at_);
    ++at_;
    const bool wide = image.largest > 255;
    make_room(image, wide ? 2 : 1);
    for (std::uint16_t& value : image.values) {
      value = static_cast<std::uint16_t>(bytes_[at_++]);
      if (wide) value = static_cast<std::uint16_t>(value << 8 | static_cast<std::uint16_t>(bytes_[at_++]));
      require<FormatError>(value <= image.largest, "{}: a pixel is {}; the largest value is {}", name_, value,
                           image.largest);
    }
    require_end();
  }

  void require_end() const { require<FormatError>(left() == 0, "{}: {} bytes after the last pixel", name_, left()); }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  std::size_t at_ = 0;
};

}  // namespace

Image read_pgm(std::span<const std::byte> bytes, const std::string& name, const SizeCheck& check) {
  return PgmReader(bytes, name).read(check);
}

}  // namespace cornu::tool
