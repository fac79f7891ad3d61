#include <fmt/format.h>

#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"
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

TEST(Pgm, IsReadAsTextAndAsBytesOfEitherSize) {
  expect_image(pgm("P2\n# by hand\n3 2 # wide\n15\n0 1 2\n13 14 15\n"), 2, 3, 15, {0, 1, 2, 13, 14, 15});
  expect_image(pgm("P2 1 1 65535 65535"), 1, 1, 65535, {65535});
  expect_image(pgm("P5 2 1 255\n\xff\n"), 1, 2, 255, {255, 10});
  expect_image(pgm("P5\n1 2\n#16 bits\n256\n" + std::string("\x01\x00\x00\x02", 4)), 2, 1, 256, {256, 2});
}

TEST(Pgm, SaysWhatIsWrong) {
  const auto expect = [](const std::string& text, std::string_view error) {
    expect_error<FormatError>([&] { pgm(text); }, error);
  };
  expect("P", "x.pgm: it begins with neither P2 nor P5, as PGM images do");
  expect("P6 1 1 255 abc", "x.pgm: it begins with neither P2 nor P5, as PGM images do");
  expect("P5", "x.pgm: the width is missing after byte 2");
  expect("P5 x", "x.pgm: the width is missing at byte 3");
  expect("P5 2", "x.pgm: the height is missing after byte 4");
  expect("P5 2 3 ", "x.pgm: the largest value is missing at byte 7");
  expect("P5 2 0 255 ", "x.pgm: 2 x 0 pixels of up to 255; all three must be more than 0");
  expect("P5 2 1 70000 ", "x.pgm: the largest value is more than 65535");
  expect("P5 99999999999999999999 1 255 ", "x.pgm: the width is more than 1073741824");
  expect("P5 2 2 255", "x.pgm: a space is missing before the pixels, at byte 10");
  expect("P5 2 2 255 abc", "x.pgm: 2 x 2 pixels, but there are 3 bytes of them; at least 1 each are required");
  expect("P5 2 2 256 abc", "x.pgm: 2 x 2 pixels, but there are 3 bytes of them; at least 2 each are required");
  expect("P5 2 1 255 abc", "x.pgm: 1 bytes more than its pixels need");
  expect("P5 1 1 10 \x0b", "x.pgm: a pixel is 11; the largest value is 10");
  expect("P2 1 1 10 11", "x.pgm: a pixel is more than 10");
  expect("P2 2 1 10 9  ", "x.pgm: a pixel is missing at byte 13");
  expect("P2 1 1 10 9 8", "x.pgm: 1 bytes more than its pixels need");
  expect("P5 1073741824 1073741824 255 x",
         "x.pgm: 1073741824 x 1073741824 pixels, but there are 1 bytes of them; at least 1 each are required");
}

TEST(Pgm, SizesAreSeenBeforeThePixels) {
  const auto refuse = [](Index height, Index width) { throw ShapeError(fmt::format("{} x {} came", height, width)); };
  expect_error<ShapeError>([&] { read_pgm(bytes_of("P5 3 2 255 "), "x", refuse); }, "2 x 3 came");
}

/// Damaged copies are images or refused: all that are cut, unless what is lost was `spare`, and a magic that is none.
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

TEST(Pgm, DamagedFilesAreRefusedOrImages) {
  damage("P2\n# text\n3 2\n255\n0 17 255 9\n8 7\n", pgm, 1);
  damage("P5\n3 2\n255\nabcdef", pgm);
  damage("P5 2 2 65535 abcdefgh", pgm);
}

#ifdef CORNU_HAS_PNG

/// Made by Python's zlib and struct alone. Two rows of three pixels each.
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

TEST(Png, IsReadAsGreyOrAsColours) {
  expect_image(png(unhex(grey)), 2, 3, 255, {0, 50, 100, 150, 200, 255});
  expect_image(png(unhex(grey), 3), 2, 3, 255,
               {0, 0, 0, 50, 50, 50, 100, 100, 100, 150, 150, 150, 200, 200, 200, 255, 255, 255});
  expect_image(png(unhex(colours), 3), 2, 3, 255, {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 7, 8, 9});
}

TEST(Png, SixteenBitsAreBroughtToEightAndBitsAreBlackAndWhite) {
  expect_image(png(unhex(wide)), 2, 3, 255, {0, 50, 100, 150, 200, 255});
  expect_image(png(unhex(bits)), 2, 3, 255, {0, 255, 0, 255, 255, 0});
}

TEST(Png, WhatCanBeSeenThroughIsWhite) {
  expect_image(png(unhex(transparent)), 2, 3, 255, {255, 50, 255, 150, 255, 255});
}

TEST(Png, SizesAreSeenBeforeThePixelsAndDamageIsToldByLibpng) {
  const auto refuse = [](Index height, Index width) { throw ShapeError(fmt::format("{} x {} came", height, width)); };
  expect_error<ShapeError>([&] { read_png(bytes_of(unhex(grey)), "x", 1, refuse); }, "2 x 3 came");
  std::string damaged = unhex(grey);
  damaged[20] = 1;
  expect_error<FormatError>([&] { png(damaged); }, "x.png: IHDR: CRC error");
}

TEST(Png, DamagedFilesAreRefusedOrImages) {
  constexpr Index empty_end = 12;  // the last part, which has nothing in it
  const auto read = [](const std::string& bytes) { return png(bytes); };
  for (const char* file : {grey, colours, bits, transparent}) damage(unhex(file), read, empty_end);
}

#else

TEST(Png, WithoutLibpngItIsSaid) {
  expect_error<FormatError>([] { read_png({}, "x.png", 1, any); },
                            "x.png: a PNG image, and this program was built without libpng; PGM it reads");
}

#endif

}  // namespace
}  // namespace cornu::tool
