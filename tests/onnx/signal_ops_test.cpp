#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/onnx/one_op.h"
#include "cornu/tests/support/expect_error.h"

/// Windows, MelWeightMatrix, DFT and STFT compared with sums over their definitions.
namespace cornu {
namespace {

using testing::error_of;
using testing::expect_close;
using testing::list;
using testing::List;
using testing::NoInput;
using testing::normal;
using testing::number;
using testing::reals_of;
using testing::whole_of;

using Spectrum = std::vector<std::complex<double>>;

/// The definition, without any factoring.
Spectrum spectrum_of(const Spectrum& x, bool inverse) {
  const auto n = static_cast<double>(x.size());
  Spectrum y(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(j * k % x.size()) / n;
      y[k] += x[j] * std::polar(1.0, inverse ? angle : -angle);
    }
    if (inverse) y[k] /= n;
  }
  return y;
}

/// One number of a tensor whose last axis holds one or two parts.
std::complex<double> number_at(const Tensor& x, Index i) {
  const Index parts = x.shape()[-1];
  return {static_cast<double>(x[i * parts]), parts == 2 ? static_cast<double>(x[i * parts + 1]) : 0};
}

TEST(OnnxSignals, DftIsItsDefinition) {
  for (Index n = 1; n <= 40; ++n) {
    for (const Index parts : {1, 2}) {
      for (const bool inverse : {false, true}) {
        // (2, n, 3): along axis 1, of both opsets.
        const Tensor x = normal({2, n, 3, parts}, static_cast<std::uint64_t>(n * 4 + parts));
        const Index wanted = n % 3 == 0 ? n + 2 : n % 3 == 1 ? n : std::max(Index{1}, n - 1);
        const bool onesided = parts == 1 && !inverse;
        const Index kept = onesided ? wanted / 2 + 1 : wanted;
        Tensor right({2, kept, 3, 2});
        for (Index o = 0; o < 2; ++o) {
          for (Index i = 0; i < 3; ++i) {
            Spectrum signal(static_cast<std::size_t>(wanted));
            for (Index k = 0; k < std::min(n, wanted); ++k) {
              signal[static_cast<std::size_t>(k)] = number_at(x, (o * n + k) * 3 + i);
            }
            const Spectrum y = spectrum_of(signal, inverse);
            for (Index k = 0; k < kept; ++k) {
              right.at({o, k, i, 0}) = static_cast<Real>(y[static_cast<std::size_t>(k)].real());
              right.at({o, k, i, 1}) = static_cast<Real>(y[static_cast<std::size_t>(k)].imag());
            }
          }
        }
        SCOPED_TRACE(::testing::Message() << n << " numbers of " << parts << " parts, inverse " << inverse);
        std::vector<testing::Given> attributes{{"inverse", Index{inverse}}, {"onesided", Index{onesided}}};
        expect_close(reals_of("DFT", {x, number(wanted), number(1)}, attributes, 20), right, 1e-4);
        expect_close(reals_of("DFT", {x, number(wanted), number(-3)}, attributes, 20), right, 1e-4);
        expect_close(reals_of("DFT", {x, number(wanted)}, attributes, 17), right, 1e-4);  // axis is 1
        attributes.push_back({"axis", Index{-3}});
        expect_close(reals_of("DFT", {x, number(wanted)}, attributes, 19), right, 1e-4);
      }
    }
  }
  // As of opset 20, the default axis is the last one of numbers.
  const Tensor x = normal({2, 3, 4, 1}, 3);
  expect_close(reals_of("DFT", {x}, {}, 20), reals_of("DFT", {x, NoInput{}, number(2)}, {}, 20));
}

TEST(OnnxSignals, TheInverseOfAOneSidedTransformIsReal) {
  for (Index n = 1; n <= 20; ++n) {
    const Tensor x = normal({3, n, 1}, static_cast<std::uint64_t>(n));
    const Tensor half = reals_of("DFT", {x, NoInput{}, number(1)}, {{"onesided", Index{1}}}, 20);
    EXPECT_EQ(half.shape(), (Shape{3, n / 2 + 1, 2}));
    const std::vector<testing::Given> back{{"onesided", Index{1}}, {"inverse", Index{1}}};
    expect_close(reals_of("DFT", {half, number(n), number(1)}, back, 20), x);
    if (n % 2 == 0) expect_close(reals_of("DFT", {half, NoInput{}, number(1)}, back, 20), x);
  }
}

TEST(OnnxSignals, StftTransformsWeightedFrames) {
  for (const Index parts : {1, 2}) {
    for (const Index step : {1, 3}) {
      for (const bool onesided : {false, true}) {
        for (const bool weighted : {false, true}) {
          const Tensor x = normal({2, 13, parts}, 7), weights = normal({6}, 8);
          const Index frames = (13 - 6) / step + 1, kept = onesided ? 4 : 6;
          Tensor right({2, frames, kept, 2});
          for (Index b = 0; b < 2; ++b) {
            for (Index frame = 0; frame < frames; ++frame) {
              Spectrum signal;
              for (Index k = 0; k < 6; ++k) {
                signal.push_back(number_at(x, b * 13 + frame * step + k) *
                                 (weighted ? static_cast<double>(weights[k]) : 1));
              }
              const Spectrum y = spectrum_of(signal, false);
              for (Index k = 0; k < kept; ++k) {
                right.at({b, frame, k, 0}) = static_cast<Real>(y[static_cast<std::size_t>(k)].real());
                right.at({b, frame, k, 1}) = static_cast<Real>(y[static_cast<std::size_t>(k)].imag());
              }
            }
          }
          const std::vector<testing::Given> attributes{{"onesided", Index{onesided}}};
          if (weighted) {
            expect_close(reals_of("STFT", {x, number(step), weights}, attributes, 17), right);
          } else {
            expect_close(reals_of("STFT", {x, number(step), NoInput{}, number(6)}, attributes, 17), right);
          }
        }
      }
    }
  }
}

TEST(OnnxSignals, WindowsFollowTheirFormulas) {
  for (const Index periodic : {0, 1}) {
    const auto check = [&](const char* op, double a, double b, double c) {
      Tensor right({7});
      for (Index i = 0; i < 7; ++i) {
        const double angle = 2 * std::numbers::pi * static_cast<double>(i) / (periodic != 0 ? 7 : 6);
        right[i] = static_cast<Real>(a - b * std::cos(angle) + c * std::cos(2 * angle));
      }
      expect_close(reals_of(op, {number(7)}, {{"periodic", periodic}}, 17), right, 1e-6);
      EXPECT_EQ(reals_of(op, {number(0)}, {{"periodic", periodic}}, 17).shape(), (Shape{0}));
    };
    check("HannWindow", 0.5, 0.5, 0);
    check("HammingWindow", 0.543478260869565, 0.456521739130435, 0);
    check("BlackmanWindow", 0.42, 0.5, 0.08);
  }
  EXPECT_EQ(whole_of("HannWindow", {number(4)}, {{"output_datatype", Index{7}}}, 17).elements,
            (std::vector<std::int64_t>{0, 0, 1, 0}));
}

TEST(OnnxSignals, MelFiltersAreTriangles) {
  const auto edge = [](double hertz) { return Tensor({}, {static_cast<Real>(hertz)}); };
  const Tensor y = reals_of("MelWeightMatrix", {number(8), number(64), number(8192), edge(0), edge(4096)}, {}, 17);
  ASSERT_EQ(y.shape(), (Shape{33, 8}));
  // The rows of the edges, computed with NumPy: floor(65 hertz(i step) / 8192) with a step of 1/10 of the mel scale.
  const Index rows[] = {0, 1, 2, 4, 6, 8, 12, 15, 20, 25};
  for (Index bin = 0; bin < 8; ++bin) {
    const Index left = rows[bin], center = rows[bin + 1], right = rows[bin + 2];
    for (Index row = 0; row < 33; ++row) {
      const double rising = static_cast<double>(row - left) / static_cast<double>(center - left),
                   falling = static_cast<double>(right - row) / static_cast<double>(right - center);
      EXPECT_NEAR(static_cast<double>(y.at({row, bin})), std::max(0.0, std::min(rising, falling)), 1e-6)
          << row << ", " << bin;
    }
  }
}

TEST(OnnxSignals, RefuseWhatDoesNotFit) {
  const auto error = [](const char* op, const std::vector<testing::AnyInput>& inputs,
                        const std::vector<testing::Given>& attributes = {},
                        Index opset = 20) { return error_of<Error>([&] { reals_of(op, inputs, attributes, opset); }); };
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << " lacks " << part;
  };
  const Tensor x = normal({1, 6, 1}, 1), scalar({}, {Real(1)});
  has(error("DFT", {normal({2, 3}, 1)}), "(..., 1) or (..., 2) is required");
  has(error("DFT", {x, number(0)}), "input 1 is 0; a number from 1 to");
  has(error("DFT", {x, NoInput{}, number(2)}), "axis 2 of (1, 6, 1) holds the parts of numbers");
  has(error("DFT", {x, number(16411)}), "a prime factor of at most 16384 is supported");
  has(error("DFT", {Tensor({1, 0, 1})}), "axis 1 of (1, 0, 1) is empty");
  has(error("STFT", {x, number(0), normal({3}, 1)}), "input 1 is 0");
  has(error("STFT", {x, number(1), normal({4}, 1), number(3)}), "a window of 4 for frames of 3");
  EXPECT_EQ(reals_of("STFT", {x, number(1), normal({7}, 1)}, {}, 17).shape(), (Shape{1, 0, 4, 2}));
  has(error("HannWindow", {number(-1)}), "input 0 is -1");
  has(error("HannWindow", {list({1, 2})}), "input 0 has shape (2,); one number is required");
  has(error("HannWindow", {number(3)}, {{"output_datatype", Index{9}}}), "output_datatype is a type of booleans");
  has(error("MelWeightMatrix", {number(4), number(16), number(100), scalar, Tensor({}, {Real(90)})}),
      "is outside of a spectrum of 9 rows");
  has(error("MelWeightMatrix", {number(4), number(16), number(100), Tensor({}, {Real(5)}), scalar}),
      "edges of 5 and 1 Hz");
}

}  // namespace
}  // namespace cornu
