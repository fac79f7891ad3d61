#include "cornu/formats/raw_tensor.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "cornu/core/error.h"

namespace cornu {
namespace {

/// All 256 values of an 8-bit type.
Tensor values_of(Dtype dtype) {
  std::array<std::byte, 256> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return to_tensor({"all", dtype, {256}, bytes});
}

void expect_value(double value, double expected, Index bits) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(value)) << bits;
  } else {
    EXPECT_EQ(value, expected) << bits;
    EXPECT_EQ(std::signbit(value), std::signbit(expected)) << bits;
  }
}

/// The value of a float by definition; `special` handles the fractions of the largest exponent.
template <class Special>
double value_of(Index bits, int fraction_bits, int bias, Special special) {
  const Index exponent_bits = 7 - fraction_bits, exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1),
              fraction = bits & ((1 << fraction_bits) - 1);
  const double part = static_cast<double>(fraction) / (1 << fraction_bits);
  const double size =
      exponent == 0 ? part * std::pow(2.0, 1 - bias) : (1 + part) * std::pow(2.0, static_cast<double>(exponent) - bias);
  const bool largest = exponent == (1 << exponent_bits) - 1;
  return (bits & 128 ? -1 : 1) * (largest ? special(fraction, size) : size);
}

TEST(RawTensor, EightBitFloatsFollowTheirSpecifications) {
  const Tensor e4m3 = values_of(Dtype::f8_e4m3), e5m2 = values_of(Dtype::f8_e5m2), e8m0 = values_of(Dtype::f8_e8m0);
  for (Index i = 0; i < 256; ++i) {
    expect_value(e4m3[i],
                 value_of(i, 3, 7, [](Index fraction, double size) { return fraction == 7 ? std::nan("") : size; }), i);
    expect_value(e5m2[i],
                 value_of(i, 2, 15, [](Index fraction, double) { return fraction == 0 ? HUGE_VAL : std::nan(""); }), i);
    expect_value(e8m0[i], i == 255 ? std::nan("") : std::pow(2.0, static_cast<double>(i) - 127), i);
  }
  EXPECT_EQ(e4m3[0x7E], 448);
  EXPECT_EQ(e5m2[0x7B], 57344);
}

/// The error of converting a (2, 2) array of integers whose last element is `number`; "" if there is none.
template <class Stored>
std::string conversion_error(Dtype dtype, Stored number) {
  const std::array<Stored, 4> numbers{0, 1, 2, number};
  try {
    const Tensor read = to_tensor({"ids", dtype, {2, 2}, std::as_bytes(std::span(numbers))});
    EXPECT_EQ(static_cast<long double>(read[3]), static_cast<long double>(number)) << "converted to another value";
    return "";
  } catch (const FormatError& error) {
    return error.what();
  }
}

/// Real represents all integers up to 2^digits, and beyond that those whose last bits are zero.
TEST(RawTensor, ReadsIntegersExactlyOrThrows) {
  constexpr int digits = std::numeric_limits<Real>::digits;  // 24, or 53 if Real is double
  const auto expect_exact = [](std::string_view error) { EXPECT_EQ(error, ""); };
  const auto expect_refused = [&](const std::string& error, const std::string& number) {
    EXPECT_EQ(error, "\"ids\": the integer " + number + " at (1, 1) cannot be represented exactly in a " +
                         (digits == 24 ? "float, which is exact up to 2^24" : "double, which is exact up to 2^53") +
                         "; store the array as floats if rounding is acceptable");
  };
  constexpr std::int64_t most = std::int64_t{1} << digits;
  for (const std::int64_t sign : {1, -1}) {
    expect_exact(conversion_error<std::int64_t>(Dtype::i64, sign * most));
    expect_exact(conversion_error<std::int64_t>(Dtype::i64, sign * (most + 2)));
    expect_refused(conversion_error<std::int64_t>(Dtype::i64, sign * (most + 1)), std::to_string(sign * (most + 1)));
    expect_exact(conversion_error<std::int64_t>(Dtype::i64, sign * (std::int64_t{1} << 62)));
  }
  expect_exact(conversion_error<std::int64_t>(Dtype::i64, std::numeric_limits<std::int64_t>::min()));
  expect_refused(conversion_error<std::int64_t>(Dtype::i64, std::numeric_limits<std::int64_t>::max()),
                 "9223372036854775807");
  expect_exact(conversion_error<std::uint64_t>(Dtype::u64, std::uint64_t{1} << 63));
  expect_refused(conversion_error<std::uint64_t>(Dtype::u64, ~std::uint64_t{0}), "18446744073709551615");
  const std::string i32 = conversion_error<std::int32_t>(Dtype::i32, std::numeric_limits<std::int32_t>::max());
  const std::string u32 = conversion_error<std::uint32_t>(Dtype::u32, ~std::uint32_t{0});
  if (digits > 32) {
    expect_exact(i32);
    expect_exact(u32);
  } else {
    expect_refused(i32, "2147483647");
    expect_refused(u32, "4294967295");
  }
  expect_exact(conversion_error<std::uint16_t>(Dtype::u16, 65535));
  const std::array<double, 1> third{1.0 / 3};  // floats are approximate anyway
  EXPECT_EQ(to_tensor({"x", Dtype::f64, {1}, std::as_bytes(std::span(third))})[0], static_cast<Real>(1.0 / 3));
}

TEST(RawTensor, TypesHaveTheirSafetensorsNames) {
  for (int i = 0; i <= static_cast<int>(Dtype::f8_e8m0); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    EXPECT_EQ(detail::dtype_called(to_string(dtype)), dtype);
    EXPECT_GT(size_of(dtype), 0);
  }
  EXPECT_EQ(detail::dtype_called("F8_E4M3"), Dtype::f8_e4m3);
  EXPECT_EQ(detail::dtype_called("F4"), std::nullopt);
}

}  // namespace
}  // namespace cornu
