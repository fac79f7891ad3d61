#include "cornu/core/error.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "cornu/core/shape.h"
#include "cornu/core/text/naming.h"

namespace cornu {
namespace {

TEST(Message, FormatsNumbersTextAndTypesWithToString) {
  EXPECT_EQ(message("{}: {} of {} at {}", "fit", 3, Shape{2, 3}, 0.5), "fit: 3 of (2, 3) at 0.5");
  EXPECT_EQ(message("{}", std::string("a {} inside an argument stays")), "a {} inside an argument stays");
}

TEST(Message, FollowsFormatSpecifications) { EXPECT_EQ(message("{:.2f} and {:>4}", 2.0 / 3, 7), "0.67 and    7"); }

TEST(Message, PrintsAFloatWithItsShortestDigits) {
  EXPECT_EQ(message("{} {}", 0.1F, 0.1), "0.1 0.1");
  EXPECT_EQ(message("{}", std::numeric_limits<float>::quiet_NaN()), "nan");
}

TEST(Message, PrintsTheEndsOfTheIntegerRanges) {
  EXPECT_EQ(message("{}", std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(message("{}", std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(message("{}", std::uint8_t{200}), "200");
}

TEST(Message, PrintsABoolAsAWord) { EXPECT_EQ(message("{} {}", true, false), "true false"); }

TEST(Require, DoesNothingIfTheConditionHolds) { EXPECT_NO_THROW(require(true, "never {}", 1)); }

TEST(Require, ThrowsTheGivenErrorType) {
  EXPECT_THROW(require(false, "x"), ShapeError);
  EXPECT_THROW(require<ValueError>(false, "x"), ValueError);
  EXPECT_THROW(require<StateError>(false, "x"), StateError);
  EXPECT_THROW(require<FormatError>(false, "x"), FileError);
}

TEST(Require, FormatsItsArguments) {
  try {
    require<ValueError>(false, "rate: {} came, at most {} is possible", 1.5, 1);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "rate: 1.5 came, at most 1 is possible");
  }
}

TEST(Error, CollectsContextAsItPropagates) {
  const auto layer = [] { throw ShapeError("units must be positive"); };
  const auto model = [&] { detail::naming("dense_1", layer); };
  try {
    detail::naming("model", model);
    FAIL() << "nothing was thrown";
  } catch (const ShapeError& error) {  // context keeps the type
    EXPECT_STREQ(error.what(), "model: dense_1: units must be positive");
  }
  EXPECT_EQ(detail::naming("model", [] { return 7; }), 7);
}

TEST(Error, IsAStdException) {
  const ValueError error("a label is out of range");
  const std::exception& base = error;
  EXPECT_STREQ(base.what(), "a label is out of range");
}

}  // namespace
}  // namespace cornu
