#include "cornu/formats/raw_tensor.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace cornu {
namespace {

/// All 256 values of a type.
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

/// The value of a float by its definition; `special` of the largest exponent's fractions.
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

TEST(RawTensor, EightBitFloatsAreWhatTheirSpecificationsSay) {
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

TEST(RawTensor, TypesHaveTheNamesThatSafetensorsFilesGiveThem) {
  for (int i = 0; i <= static_cast<int>(Dtype::f8_e8m0); ++i) {
    const auto dtype = static_cast<Dtype>(i);
    EXPECT_EQ(dtype_called(to_string(dtype)), dtype);
    EXPECT_GT(size_of(dtype), 0);
  }
  EXPECT_EQ(dtype_called("F8_E4M3"), Dtype::f8_e4m3);
  EXPECT_EQ(dtype_called("F4"), std::nullopt);
}

}  // namespace
}  // namespace cornu
