#include "cornu/core/text/printable.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/core/options/type_name.h"
#include "cornu/core/text/naming.h"

namespace cornu {
namespace {

using detail::LineBreaks;
using detail::printable;

std::string utf8(unsigned code) {
  const auto byte = [](unsigned value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xC0 | code >> 6), byte(0x80 | (code & 63))};
  if (code < 0x10000) return {byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63))};
  return {byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 63)), byte(0x80 | (code >> 6 & 63)),
          byte(0x80 | (code & 63))};
}

TEST(TypeName, HasTheArticleOfItsPronunciation) {
  for (const char* const text :
       {"a layer", "an optimizer", "an initializer", "an activation", "a Dense", "an Embedding", "an LSTM", "a GRU",
        "an ELU", "a LayerNormalization", "an RMSprop", "an SGD", "a Nadam", "an Input", "a UNet"}) {
    const std::string_view word = std::string_view(text).substr(std::string_view(text).find(' ') + 1);
    EXPECT_EQ(detail::with_article(word), text);
  }
}

TEST(Printable, EscapesEveryControlCharacterAndKeepsAllOthers) {
  for (unsigned code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;  // surrogates are not valid in UTF-8
    const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    const bool directs = code == 0x61C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
                         (code >= 0x2066 && code <= 0x2069);
    const bool separates = code == 0x2028 || code == 0x2029;
    char escaped[16];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", code);
    const std::string text = "a" + utf8(code) + "b";
    ASSERT_EQ(printable(text), control || directs || separates ? "a" + std::string(escaped) + "b" : text) << code;
  }
  EXPECT_EQ(printable("a\nb\tc\rd", LineBreaks::kept), "a\nb\tc\\u000dd");
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\x9b[31m"), "\\x9b[31m") << "the control sequence introducer of 8 bits";
  EXPECT_EQ(printable("\xc2"), "\\xc2");
  EXPECT_EQ(printable("\xc0\x8a"), "\\xc0\\x8a") << "a newline in two bytes";
  EXPECT_EQ(printable("\xe0\x82\x85"), "\\xe0\\x82\\x85") << "U+0085 in three";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond U+10FFFF";
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(printable(std::string("\0", 1)), "\\u0000");
}

TEST(Printable, IsIdempotent) {
  const std::string once = printable("a\n\x80");
  EXPECT_EQ(printable(once), once);
}

TEST(Printable, IsAppliedToNamesInErrors) {
  EXPECT_EQ(message("\"{}\" is {}", std::string("a\nerror: b"), "\x1b[2J"), "\"a\\u000aerror: b\" is \\u001b[2J");
  try {
    detail::naming("x\ny", [] { throw ValueError("z"); });
    FAIL();
  } catch (const ValueError& error) {
    EXPECT_STREQ(error.what(), "x\\u000ay: z");
  }
}

}  // namespace
}  // namespace cornu
