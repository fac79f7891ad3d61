#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>

#include "cornu/core/error.h"
#include "cornu/onnx/ops/ops.h"

/// Signals: the windows (Hann, Hamming, Blackman), MelWeightMatrix, DFT and STFT.
namespace cornu::onnx::detail {

namespace {

using Complex = std::complex<double>;

/// The only whole number of an input.
Index whole_number(const Call& call, std::size_t input, Index least, Index most) {
  const std::span<const Index> given = call.integers(input);
  require<FormatError>(given.size() == 1, "input {} has shape {}; one number is required", input, call.shape(input));
  require<ValueError>(least <= given[0] && given[0] <= most, "input {} is {}; a number from {} to {} is required",
                      input, given[0], least, most);
  return given[0];
}

/// Output 0, of the type of the attribute output_datatype. Whole numbers are truncated.
void result_of(Call& call, const Shape& shape, std::span<const double> numbers) {
  const ElementType type = supported_type(call.integer("output_datatype", 1));
  if (kind_of(type) == Kind::real) {
    const View y = call.tape().scratch(shape);
    std::transform(numbers.begin(), numbers.end(), y.begin(), [](double v) { return static_cast<Real>(v); });
    return call.result(0, {.type = type, .var = call.tape().input(y)});
  }
  require<FormatError>(kind_of(type) == Kind::integer, "output_datatype is a type of booleans");
  const std::span<Index> y = call.memory<Index>(numbers.size());
  std::transform(numbers.begin(), numbers.end(), y.begin(), [](double v) { return static_cast<Index>(v); });
  call.integer_result(0, type, shape, y);
}

/// a - b cos(2 pi i / n) + c cos(4 pi i / n), where n is the size, or one less if the window is not periodic.
void window(Call& call, double a, double b, double c) {
  const Index size = whole_number(call, 0, 0, Shape::max_size);
  const auto n = static_cast<double>(call.integer("periodic", 1) != 0 ? size : size - 1);
  const std::span<double> y = call.memory<double>(static_cast<std::size_t>(size));
  for (Index i = 0; i < size; ++i) {
    const double angle = n > 0 ? 2 * std::numbers::pi * static_cast<double>(i) / n : 0;
    y[static_cast<std::size_t>(i)] = a - b * std::cos(angle) + c * std::cos(2 * angle);
  }
  result_of(call, {size}, y);
}
void hann_window(Call& call) { window(call, 0.5, 0.5, 0); }
void hamming_window(Call& call) { window(call, 25.0 / 46, 21.0 / 46, 0); }
void blackman_window(Call& call) { window(call, 0.42, 0.5, 0.08); }

/// Triangular filters with equal distances on the mel scale, (dft_length / 2 + 1, num_mel_bins).
void mel_weight_matrix(Call& call) {
  const Index bins = whole_number(call, 0, 1, Index{1} << 30), length = whole_number(call, 1, 0, Index{1} << 30),
              rate = whole_number(call, 2, 1, Index{1} << 30), rows = length / 2 + 1;
  const double low = call.number(3), high = call.number(4);
  require<ValueError>(0 <= low && low <= high && std::isfinite(high), "edges of {} and {} Hz", low, high);
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(high) - mel(low)) / static_cast<double>(bins + 2);
  // The row of edge i.
  const auto row_of = [&](Index i) {
    const double hertz = 700 * (std::pow(10, (static_cast<double>(i) * step + mel(low)) / 2595) - 1);
    const double row = std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
    require<ValueError>(0 <= row && row <= static_cast<double>(rows),
                        "{} Hz is outside of a spectrum of {} rows at {} Hz", hertz, rows, rate);
    return static_cast<Index>(row);
  };
  const Shape shape{rows, bins};
  const std::span<double> y = call.memory<double>(static_cast<std::size_t>(shape.size()));
  std::fill(y.begin(), y.end(), 0.0);
  const auto set = [&](Index row, Index bin, double weight) {
    require<ValueError>(row < rows, "row {} is outside of a spectrum of {} rows", row, rows);
    y[static_cast<std::size_t>(row * bins + bin)] = weight;
  };
  for (Index i = 0; i < bins; ++i) {
    const Index left = row_of(i), center = row_of(i + 1), right = row_of(i + 2);
    if (left == center) set(center, i, 1);
    for (Index j = left; j <= center && left < center; ++j) {
      set(j, i, static_cast<double>(j - left) / static_cast<double>(center - left));
    }
    for (Index j = center; j < right; ++j) {
      set(j, i, static_cast<double>(right - j) / static_cast<double>(right - center));
    }
  }
  result_of(call, shape, y);
}

/// The discrete Fourier transform of n numbers: y[k] = sum of x[j] exp(-+2 pi i j k / n), split by the prime factors
/// of n (Cooley and Tukey, 1965).
class Transform {
 public:
  Transform(Tape& tape, Index n, bool inverse)
      : n_(n), roots_(tape_memory<Complex>(tape, static_cast<std::size_t>(n))) {
    Index most = 1;
    for (Index rest = n; rest > 1; rest /= factor(rest)) most = std::max(most, factor(rest));
    require<ValueError>(n > 0 && most <= Index{1} << 14,
                        "a transform of {} numbers; a prime factor of at most {} is "
                        "supported",
                        n, Index{1} << 14);
    terms_ = tape_memory<Complex>(tape, static_cast<std::size_t>(most));
    for (Index k = 0; k < n; ++k) {
      roots_[static_cast<std::size_t>(k)] =
          std::polar(1.0, (inverse ? 2 : -2) * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n));
    }
  }

  void operator()(const Complex* x, Complex* y) const { run(x, 1, n_, y); }

 private:
  /// The least prime factor.
  static Index factor(Index n) {
    for (Index p = 2; p * p <= n; ++p) {
      if (n % p == 0) return p;
    }
    return n;
  }

  /// The depth is the number of prime factors.
  void run(const Complex* x, Index stride, Index n, Complex* y) const {
    if (n == 1) {
      *y = *x;
      return;
    }
    const Index parts = factor(n), m = n / parts;
    for (Index part = 0; part < parts; ++part) run(x + part * stride, stride * parts, m, y + part * m);
    for (Index k = 0; k < m; ++k) {
      for (Index part = 0; part < parts; ++part) {
        terms_[static_cast<std::size_t>(part)] = y[part * m + k] * root(part * k * stride);
      }
      for (Index to = 0; to < parts; ++to) {
        Complex sum = 0;
        for (Index part = 0; part < parts; ++part) {
          sum += terms_[static_cast<std::size_t>(part)] * root(part * to % parts * (n_ / parts));
        }
        y[to * m + k] = sum;
      }
    }
  }
  Complex root(Index k) const { return roots_[static_cast<std::size_t>(k)]; }

  Index n_;
  std::span<Complex> roots_, terms_{};
};

Complex complex_at(const Real* number, Index parts) {
  return {static_cast<double>(number[0]), parts == 2 ? static_cast<double>(number[1]) : 0};
}

constexpr Index longest = Index{1} << 26;

/// Along one axis; the last axis holds real numbers (1) or real and imaginary parts (2). onesided leaves out the second
/// half of the spectrum of real numbers; the inverse then completes it, and its result is real. As of opset 20, the
/// axis is an input.
void dft(Call& call) {
  const Var x = call[0];
  const Shape s = x.shape();
  require<FormatError>(s.rank() >= 2 && (s[-1] == 1 || s[-1] == 2),
                       "an input of shape {}; (..., 1) or (..., 2) is "
                       "required",
                       s);
  Index given = call.opset() < 20 ? call.integer("axis", 1) : -2;
  if (call.has(2)) given = whole_number(call, 2, -Shape::max_rank, Shape::max_rank);
  const Index axis = axis_of(given, s), parts = s[-1];
  require<FormatError>(axis < s.rank() - 1, "axis {} of {} holds the parts of numbers", axis, s);
  const bool inverse = call.integer("inverse", 0) != 0, onesided = call.integer("onesided", 0) != 0;
  const bool completes = inverse && onesided;
  require<FormatError>(s[axis] > 0, "axis {} of {} is empty", axis, s);
  const Index own = completes ? std::max(Index{1}, 2 * (s[axis] - 1)) : s[axis],
              n = call.has(1) ? whole_number(call, 1, 1, longest) : own,
              taken = std::min(completes ? n / 2 + 1 : n, s[axis]);
  require<ValueError>(n <= longest, "a transform of {} numbers; at most {} are supported", n, longest);
  const Index kept = onesided && !inverse ? n / 2 + 1 : n, made = completes ? 1 : 2;
  const Var y = call.tape().output(s.with(axis, kept).with(-1, made), {x});
  const Transform transform(call.tape(), n, inverse);
  const std::span<Complex> from = call.memory<Complex>(static_cast<std::size_t>(n)),
                           to = call.memory<Complex>(static_cast<std::size_t>(n));
  const Index outer = s.sub(0, axis).size(), inner = s.sub(axis + 1, s.rank() - 1).size();
  const double scale = inverse ? 1 / static_cast<double>(n) : 1;
  for (Index o = 0; o < outer; ++o) {
    for (Index i = 0; i < inner; ++i) {
      std::fill(from.begin(), from.end(), Complex());
      for (Index k = 0; k < taken; ++k) {
        const Complex value = complex_at(x.value().data() + ((o * s[axis] + k) * inner + i) * parts, parts);
        from[static_cast<std::size_t>(k)] = value;
        if (completes && k > 0) from[static_cast<std::size_t>(n - k)] = std::conj(value);
      }
      transform(from.data(), to.data());
      for (Index k = 0; k < kept; ++k) {
        Real* const number = y.out().data() + ((o * kept + k) * inner + i) * made;
        number[0] = static_cast<Real>(to[static_cast<std::size_t>(k)].real() * scale);
        if (made == 2) number[1] = static_cast<Real>(to[static_cast<std::size_t>(k)].imag() * scale);
      }
    }
  }
  call.result(y);
}

/// The transforms of windows of a signal (batch, length, 1 or 2): (batch, frames, frequencies, 2).
void stft(Call& call) {
  const Var x = call[0];
  const Shape s = x.shape();
  require<FormatError>(s.rank() == 3 && (s[2] == 1 || s[2] == 2),
                       "a signal of shape {}; (batch, length, 1 or 2) is "
                       "required",
                       s);
  const Var window = call.has(2) ? call[2] : Var();
  require<FormatError>(!window || (window.rank() == 1 && window.size() > 0), "a window of shape {}",
                       window ? window.shape() : Shape());
  const Index step = whole_number(call, 1, 1, longest), length = s[1],
              n = call.has(3) ? whole_number(call, 3, 1, longest)
                  : window    ? window.size()
                              : length;
  const Index taken = window ? window.size() : n, frames = length < n ? 0 : (length - n) / step + 1;
  require<FormatError>(0 < n && n <= longest && taken <= n, "a window of {} for frames of {}", taken, n);
  const Index kept = call.integer("onesided", 1) != 0 ? n / 2 + 1 : n;
  const Var y = call.tape().output({s[0], frames, kept, 2}, {x});
  const Transform transform(call.tape(), n, false);
  const std::span<Complex> from = call.memory<Complex>(static_cast<std::size_t>(n)),
                           to = call.memory<Complex>(static_cast<std::size_t>(n));
  std::fill(from.begin(), from.end(), Complex());
  for (Index frame = 0; frame < s[0] * frames; ++frame) {
    const Real* const first = x.value().data() + (frame / frames * length + frame % frames * step) * s[2];
    for (Index k = 0; k < taken; ++k) {
      const double weight = window ? static_cast<double>(window.value()[k]) : 1;
      from[static_cast<std::size_t>(k)] = weight * complex_at(first + k * s[2], s[2]);
    }
    transform(from.data(), to.data());
    for (Index k = 0; k < kept; ++k) {
      y.out()[(frame * kept + k) * 2] = static_cast<Real>(to[static_cast<std::size_t>(k)].real());
      y.out()[(frame * kept + k) * 2 + 1] = static_cast<Real>(to[static_cast<std::size_t>(k)].imag());
    }
  }
  call.result(y);
}

}  // namespace

std::span<const Op> signal_ops() {
  static constexpr Op ops[] = {
      {.name = "BlackmanWindow",
       .since = 17,
       .attributes = "output_datatype periodic ",
       .takes = integers,
       .gradient = Gradient::zero,
       .run = blackman_window},
      {.name = "DFT",
       .since = 17,
       .inputs = {1, 3},
       .attributes = "axis inverse onesided ",
       .gradient = Gradient::none,
       .run = dft},
      {.name = "HammingWindow",
       .since = 17,
       .attributes = "output_datatype periodic ",
       .takes = integers,
       .gradient = Gradient::zero,
       .run = hamming_window},
      {.name = "HannWindow",
       .since = 17,
       .attributes = "output_datatype periodic ",
       .takes = integers,
       .gradient = Gradient::zero,
       .run = hann_window},
      {.name = "MelWeightMatrix",
       .since = 17,
       .inputs = {5, 5},
       .attributes = "output_datatype ",
       .takes = integers,
       .gradient = Gradient::zero,
       .run = mel_weight_matrix},
      {.name = "STFT",
       .since = 17,
       .inputs = {2, 4},
       .attributes = "onesided ",
       .gradient = Gradient::none,
       .run = stft},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
