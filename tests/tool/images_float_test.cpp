#include <fmt/format.h>
#include <zlib.h>

#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/tool/support.h"
#include "cornu/tool/image.h"

namespace cornu::tool {
namespace {

using testing::bytes_of;
using testing::expect_error;

const SizeCheck any = [](Index, Index) {};

Image pgm(const std::string& text) { return read_pgm(bytes_of(text), "x.pgm", any); }

void expect_image(const Image& image, Index height, Index width, Index largest,
                  const std::vector<std::uint16_t>& values) {
  EXPECT_EQ(image.height, height);
  EXPECT_EQ(image.width, width);
  EXPECT_EQ(image.largest, largest);
  EXPECT_EQ(image.values, values);
}

TEST(Pgm, IsReadAsTextAndAs8And16BitBytes) {
  expect_image(pgm("P2\n# by hand\n3 2 # wide\n15\n0 1 2\n13 14 15\n"), 2, 3, 15, {0, 1, 2, 13, 14, 15});
  expect_image(pgm("P2 1 1 65535 65535"), 1, 1, 65535, {65535});
  expect_image(pgm("P5 2 1 255\n\xff\n"), 1, 2, 255, {255, 10});
  expect_image(pgm("P5\n1 2\n#16 bits\n256\n" + std::string("\x01\x00\x00\x02", 4)), 2, 1, 256, {256, 2});
}

TEST(Pgm, ErrorsSayWhatIsWrong) {
  const auto expect = [](const std::string& text, std::string_view error) {
    expect_error<FormatError>([&] { pgm(text); }, error);
  };
  expect("P", "x.pgm: not a PGM image, it does not begin with P2 or P5");
  expect("P6 1 1 255 abc", "x.pgm: not a PGM image, it does not begin with P2 or P5");
  expect("P5", "x.pgm: the width is missing after byte 2");
  expect("P5 x", "x.pgm: the width is missing at byte 3");
  expect("P5 2", "x.pgm: the height is missing after byte 4");
  expect("P5 2 3 ", "x.pgm: the largest value is missing at byte 7");
  expect("P5 2 0 255 ", "x.pgm: 2 x 0 pixels of up to 255; all three must be positive");
  expect("P5 2 1 70000 ", "x.pgm: the largest value is more than 65535");
  expect("P5 99999999999999999999 1 255 ", "x.pgm: the width is more than 1073741824");
  expect("P5 2 2 255", "x.pgm: a space is missing before the pixels, at byte 10");
  expect("P5 2 2 255 abc", "x.pgm: 2 x 2 pixels in 3 bytes; a pixel takes at least 1");
  expect("P5 2 2 256 abc", "x.pgm: 2 x 2 pixels in 3 bytes; a pixel takes at least 2");
  expect("P5 2 1 255 abc", "x.pgm: 1 bytes after the last pixel");
  expect("P5 1 1 10 \x0b", "x.pgm: a pixel is 11; the largest value is 10");
  expect("P2 1 1 10 11", "x.pgm: a pixel is more than 10");
  expect("P2 2 1 10 9  ", "x.pgm: a pixel is missing at byte 13");
  expect("P2 1 1 10 9 8", "x.pgm: 1 bytes after the last pixel");
  expect("P5 1073741824 1073741824 255 x",
         "x.pgm: 1073741824 x 1073741824 pixels in 1 bytes; a pixel takes at least 1");
}

TEST(Pgm, TheSizeIsCheckedBeforeThePixels) {
  const auto refuse = [](Index height, Index width) { throw ShapeError(fmt::format("{} x {} came", height, width)); };
  expect_error<ShapeError>([&] { read_pgm(bytes_of("P5 3 2 255 "), "x", refuse); }, "2 x 3 came");
}

/// Damaged copies are read as images or refused. Truncated ones are refused unless only `spare` bytes are lost, and so
/// is a wrong magic.
template <class Read>
void damage(const std::string& file, const Read& read, Index spare = 0) {
  const auto whole = [&](const std::string& bytes) {
    const Image image = read(bytes);
    EXPECT_EQ(std::ssize(image.values), image.width * image.height * image.channels);
  };
  const auto refused = testing::read_damaged(file, whole);
  EXPECT_EQ(refused.cut, std::ssize(file) - spare);
  EXPECT_GE(refused.flipped, 15);
}

TEST(Pgm, DamagedFilesAreReadOrRefused) {
  damage("P2\n# text\n3 2\n255\n0 17 255 9\n8 7\n", pgm, 1);
  damage("P5\n3 2\n255\nabcdef", pgm);
  damage("P5 2 2 65535 abcdefgh", pgm);
}

#ifdef CORNU_HAS_PNG

/// Decodes hexadecimal digits. The images were written with only Python's zlib and struct: two rows of three pixels
/// each.
std::string unhex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

constexpr const char* grey =
    "89504e470d0a1a0a0000000d4948445200000003000000020800000000b81f39c6000000104944415478da6360304a619876"
    "e23f00077902f4d58142b00000000049454e44ae426082";
constexpr const char* colours =
    "89504e470d0a1a0a0000000d49484452000000030000000208020000001216f14d000000154944415478da63f8cfc0c000c1"
    "ffff8368760e4e0044fd0613ccc5f12b0000000049454e44ae426082";
constexpr const char* wide =
    "89504e470d0a1a0a0000000d4948445200000003000000021000000000e88fe585000000164944415478da63606030324a49"
    "619836edc489ffff0119b305e7d579304f0000000049454e44ae426082";
constexpr const char* bits =
    "89504e470d0a1a0a0000000d4948445200000003000000020100000000b50f5bb70000000c4944415478da63706038000001"
    "840101348243fc0000000049454e44ae426082";
constexpr const char* transparent =
    "89504e470d0a1a0a0000000d4948445200000003000000020804000000377dae91000000164944415478da63606030fa9fc2"
    "c030edff0986ffff011e4a05f117d8b2ac0000000049454e44ae426082";

Image png(const std::string& bytes, Index channels = 1) { return read_png(bytes_of(bytes), "x.png", channels, any); }

TEST(Png, IsReadAsGreyOrColour) {
  expect_image(png(unhex(grey)), 2, 3, 255, {0, 50, 100, 150, 200, 255});
  expect_image(png(unhex(grey), 3), 2, 3, 255,
               {0, 0, 0, 50, 50, 50, 100, 100, 100, 150, 150, 150, 200, 200, 200, 255, 255, 255});
  expect_image(png(unhex(colours), 3), 2, 3, 255, {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 7, 8, 9});
}

TEST(Png, SixteenBitsAreReducedToEightAndOneBitIsBlackOrWhite) {
  expect_image(png(unhex(wide)), 2, 3, 255, {0, 50, 100, 150, 200, 255});
  expect_image(png(unhex(bits)), 2, 3, 255, {0, 255, 0, 255, 255, 0});
}

TEST(Png, TransparentPixelsAreWhite) {
  expect_image(png(unhex(transparent)), 2, 3, 255, {255, 50, 255, 150, 255, 255});
}

/// A PNG of one row, built here without libpng, so that libpng does not test itself. `between`: chunks between header
/// and pixels.
std::string chunk(const std::string& type_and_data) {
  const auto number = [](std::uint32_t n) {
    return std::string{static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
                       static_cast<char>(n)};
  };
  const auto* const data = reinterpret_cast<const Bytef*>(type_and_data.data());
  const auto size = static_cast<uInt>(type_and_data.size());
  return number(size - 4) + type_and_data + number(static_cast<std::uint32_t>(crc32(0, data, size)));
}
std::string row_png(char width, char depth, char colour_type, const std::string& samples, const std::string& between) {
  const std::string row = '\0' + samples;
  std::string packed(compressBound(row.size()), '\0');
  auto size = static_cast<uLongf>(packed.size());
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(row.data()), row.size());
  packed.resize(size);
  return "\x89PNG\r\n\x1a\n" +
         chunk(std::string("IHDR\0\0\0", 7) + width + std::string("\0\0\0\1", 4) + depth + colour_type +
               std::string(3, '\0')) +
         between + chunk("IDAT" + packed) + chunk("IEND");
}

constexpr char grey_type = 0, colour_type = 2, palette_type = 3, grey_alpha_type = 4, colour_alpha_type = 6;

TEST(Png, ColoursAreConvertedToGreyByBT601AsInPILAndOpenCV) {
  // rgb_col: red, green, blue; yellow, greys, (10, 200, 30).
  const std::string file = testing::content(testing::source_path("tests/tool/fixtures/rgb_col.png"));
  expect_image(png(file), 2, 3, 255, {76, 150, 29, 226, 128, 124});
  for (const auto& [colour, luma] : {std::pair(std::array{255, 255, 0}, 226), std::pair(std::array{0, 255, 255}, 179),
                                     std::pair(std::array{255, 0, 255}, 105), std::pair(std::array{1, 2, 3}, 2),
                                     std::pair(std::array{77, 77, 77}, 77)}) {
    EXPECT_EQ(grey_of(colour[0], colour[1], colour[2]), luma);
  }
}

/// Gamma and colour profiles are meant for screens: like other programs, the reader returns the stored values.
TEST(Png, EveryKindOfPngGivesTheSamePixelsWhateverItsGamma) {
  Rng rng(1);
  const auto gamma = [&](std::uint32_t value) {
    return chunk(std::string("gAMA") + '\0' + static_cast<char>(value >> 16) + static_cast<char>(value >> 8) +
                 static_cast<char>(value));
  };
  const std::string ends = chunk("cHRM" + std::string(32, '\x01'));
  for (const std::string& chunks : {std::string(), gamma(100'000), gamma(45'455), gamma(55'556), gamma(30'000) + ends,
                                    chunk("sRGB" + std::string(1, '\0'))}) {
    std::string colour_bytes, wide_bytes, palette, with_alpha, indices;
    std::vector<std::uint16_t> expected, greys;
    constexpr int width = 16;
    for (int i = 0; i < width; ++i) {
      std::array<int, 3> colour{};
      double luma = 0.5;
      while (std::abs(luma - std::floor(luma) - 0.5) < 0.01) {  // PIL's 16-bit weights may round a tie either way
        for (int& c : colour) c = static_cast<int>(rng.below(256));
        luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2];
      }
      for (const int c : colour) {
        expected.push_back(static_cast<std::uint16_t>(c));
        colour_bytes += static_cast<char>(c);
        wide_bytes += {static_cast<char>(c), static_cast<char>(c)};
      }
      greys.push_back(static_cast<std::uint16_t>(std::lround(luma)));
      indices += static_cast<char>(i);
      with_alpha += colour_bytes.substr(colour_bytes.size() - 3) + '\xff';
    }
    for (const std::string& file :
         {row_png(width, 8, colour_type, colour_bytes, chunks), row_png(width, 16, colour_type, wide_bytes, chunks),
          row_png(width, 8, palette_type, indices, chunks + chunk("PLTE" + colour_bytes)),
          row_png(width, 8, colour_alpha_type, with_alpha, chunks)}) {
      expect_image(png(file, 3), 1, width, 255, expected);
      expect_image(png(file), 1, width, 255, greys);
    }
    std::string grey_bytes, wide_greys, greys_alpha;
    for (const std::uint16_t g : greys) {
      grey_bytes += static_cast<char>(g);
      wide_greys += {static_cast<char>(g), static_cast<char>(g)};
      greys_alpha += {static_cast<char>(g), '\xff'};
    }
    for (const std::string& file :
         {row_png(width, 8, grey_type, grey_bytes, chunks), row_png(width, 16, grey_type, wide_greys, chunks),
          row_png(width, 8, grey_alpha_type, greys_alpha, chunks)}) {
      expect_image(png(file), 1, width, 255, greys);
    }
  }
}

/// Blends like browsers and PIL's alpha_composite: half-transparent black is 127 of 255, not 188 as in linear light.
TEST(Png, HalfTransparentPixelsAreBlendedWithWhiteWithoutGamma) {
  const std::string values{'\0', '\0', '\0', '\x80', '\x64', '\x80', '\0', '\xff'};
  expect_image(png(row_png(4, 8, grey_alpha_type, values, "")), 1, 4, 255, {255, 127, 177, 0});
  const std::string red{'\xff', '\0', '\0', '\x80'};
  expect_image(png(row_png(1, 8, colour_alpha_type, red, ""), 3), 1, 1, 255, {255, 127, 127});
  expect_image(png(row_png(1, 8, colour_alpha_type, red, "")), 1, 1, 255, {165});
  const std::string clear = chunk(std::string("PLTE\xff\0\0", 7)) + chunk("tRNS\x80");
  expect_image(png(row_png(1, 8, palette_type, std::string(1, '\0'), clear)), 1, 1, 255, {165});
}

TEST(Png, TheSizeIsCheckedBeforeThePixelsAndLibpngReportsDamage) {
  const auto refuse = [](Index height, Index width) { throw ShapeError(fmt::format("{} x {} came", height, width)); };
  expect_error<ShapeError>([&] { read_png(bytes_of(unhex(grey)), "x", 1, refuse); }, "2 x 3 came");
  std::string damaged = unhex(grey);
  damaged[20] = 1;
  expect_error<FormatError>([&] { png(damaged); }, "x.png: IHDR: CRC error");
}

TEST(Png, DamagedFilesAreReadOrRefused) {
  constexpr Index empty_end = 12;  // the last chunk, which is empty
  const auto read = [](const std::string& bytes) { return png(bytes); };
  for (const char* file : {grey, colours, bits, transparent}) damage(unhex(file), read, empty_end);
}

#else

TEST(Png, WithoutLibpngItIsAnError) {
  expect_error<FormatError>([] { read_png({}, "x.png", 1, any); },
                            "x.png: a PNG image, but this program was built without libpng; convert the image to PGM");
}

#endif

}  // namespace
}  // namespace cornu::tool
