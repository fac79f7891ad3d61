#include "cornu/formats/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "cornu/core/error.h"
#include "cornu/tests/support/damaged.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::expect_error;

TEST(Json, WritesWhatItReads) {
  const std::string text =
      R"({"a":[1,-2,3.5,1e+300,true,false,null,"x\"\\\u0001é"],"b":{},"c":[],"d":{"e":9223372036854775807}})";
  EXPECT_EQ(to_string(parse_json(text)), text);
}

TEST(Json, KeepsEveryBitOfADouble) {
  for (const double value : {0.1, 1.0 / 3, -0.0, 5e-324, std::numeric_limits<double>::max(), 1e22, 100.0}) {
    const Json read = parse_json(to_string(Json(value)));
    ASSERT_NE(read.as<double>(), nullptr) << value;
    EXPECT_EQ(*read.as<double>(), value);
    EXPECT_EQ(std::signbit(*read.as<double>()), std::signbit(value));
  }
}

TEST(Json, FindsMembersByName) {
  const Json json = parse_json(R"({"a": 1, "b": {"c": [true]}})");
  ASSERT_NE(json.find("b"), nullptr);
  EXPECT_EQ(json.at("b").at("c"), Json(Json::Array{true}));
  EXPECT_EQ(json.find("c"), nullptr);
  EXPECT_EQ(json.at("a").find("c"), nullptr);
  expect_error<FormatError>([&] { static_cast<void>(json.at("z")); }, "there is no \"z\" in an object");
}

TEST(Json, RejectsInvalidJson) {
  for (const char* const text : {"", "{", "[1,]", "{\"a\":}", "{a:1}", "tru", "1 2", "[1]]", "\"\xff\"", "\"\n\"", "01",
                                 "1e999", "NaN", "'a'", "{\"a\":1,}", "\xef\xbb\xbf", "[\"\\ud800\"]"}) {
    EXPECT_TRUE(error_of<FormatError>([&] { parse_json(text); }).starts_with("JSON: ")) << text;
  }
}

TEST(Json, ReportsThePositionOfAnError) {
  expect_error<FormatError>([] { parse_json("[1, x]"); },
                            "JSON: parse error at line 1, column 5: syntax error while parsing value - invalid "
                            "literal; last read: '1, x' (byte 5)");
}

TEST(Json, RejectsOrReadsDamagedFiles) {
  const std::string text = R"({"a":[1,-2.5e3,true,null,"x\"\u00e9"],"b":{"":{}}})";
  const testing::Refused refused = testing::read_damaged(text, [](const std::string& damaged) {
    const Json json = parse_json(damaged);
    EXPECT_EQ(parse_json(to_string(json)), json) << damaged;
  });
  EXPECT_EQ(refused.cut, std::ssize(text));
  EXPECT_GT(refused.flipped, 4 * std::ssize(text));
}

TEST(Json, RejectsDuplicateNames) {
  expect_error<FormatError>([] { parse_json(R"({"a":1,"b":2,"a":3})"); }, "JSON: duplicate name \"a\"");
  EXPECT_NO_THROW(parse_json(R"([{"a":1},{"a":2,"b":{"a":3}}])"));
}

TEST(Json, LimitsNestingAndTheNumberOfValues) {
  expect_error<FormatError>([] { parse_json(std::string(100'000, '[')); }, "JSON: more than 64 levels of nesting");
  std::string many = "[0";
  for (int i = 0; i < 100'000; ++i) many += ",0";
  expect_error<FormatError>([&] { parse_json(many + "]"); }, "JSON: more than 100000 values");
}

TEST(Json, LimitsTheLengthOfStringsAndNumbers) {
  constexpr std::size_t most = 8 << 20;
  const std::string text(most, 'x'), spaces(most + 1, ' '), why = "JSON: a string or number of more than 8388608 bytes";
  EXPECT_EQ(parse_json("[\"" + text + "\",\"\\\"\"]"), Json(Json::Array{Json(text), Json("\"")}));
  expect_error<FormatError>([&] { parse_json("[\"\\\"" + text + "\"]"); }, why);
  expect_error<FormatError>([&] { parse_json("[" + std::string(most + 1, '1') + "]"); }, why);
  std::string escaped;
  for (std::size_t i = 0; i <= most / 2; ++i) escaped += "\\n";
  expect_error<FormatError>([&] { parse_json("[\"" + escaped + "\"]"); }, why);
  EXPECT_EQ(parse_json("[" + spaces + "1" + spaces + "]"), Json(Json::Array{Json(std::int64_t{1})}));
}

}  // namespace
}  // namespace cornu
