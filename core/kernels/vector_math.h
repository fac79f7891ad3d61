#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

/// exp, log and related functions without branches and calls, so that the compiler can vectorize loops that use them
/// (the C library's functions take one value per call). For float and double. NaN in, NaN out.
/// Maximum errors in units in the last place: exp and log 1.5, expm1 and log1p 2, tanh and sigmoid 2.5, normal 3
/// (density) and 5 (cumulative), erf 2. Except in normal, polynomials are Taylor series, as long as the precision
/// needs: on the short intervals of the reduced arguments, fitted coefficients would save only one term. normal is a
/// Chebyshev series with a table of coefficients. Source of the argument reductions: fdlibm (Sun, 1993).
namespace cornu::math {

namespace detail {

template <class T>
using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;

template <class T>
struct Format {
  static constexpr int fraction = std::numeric_limits<T>::digits - 1;  // bits after the leading one
  static constexpr Bits<T> bias = std::numeric_limits<T>::max_exponent - 1;
  static constexpr bool single = std::is_same_v<T, float>;
  // ln 2 in two parts. The first has so few bits that its products with exponents are exact.
  static constexpr T ln2_high = single ? T(0.693359375) : T(6.93147180369123816490e-01);
  static constexpr T ln2_low = single ? T(-2.12194440054690581e-04) : T(1.90821492927058770002e-10);
};

/// 2^k, for 2^k in the range of normal numbers. k is in two's complement.
template <class T>
[[gnu::always_inline]] inline T power_of_2(Bits<T> k) {
  return std::bit_cast<T>((k + Format<T>::bias) << Format<T>::fraction);
}

/// e^x = (1 + rest) * high * low. high and low are powers of two; a single one could overflow although e^x does not.
template <class T>
struct ExpParts {
  T rest, high, low, one_over_low;
};

/// The first `terms` terms of 1/2! + r/3! + r^2/4! + ..., for |r| <= ln(2) / 2.
template <int terms, class T>
[[gnu::always_inline]] inline T exp_series(T r) {
  constexpr std::array<T, terms> coefficients = [] {
    std::array<T, terms> result{};
    double factorial = 1;
    for (int k = 0; k < terms; ++k) result[static_cast<std::size_t>(k)] = static_cast<T>(1 / (factorial *= k + 2));
    return result;
  }();
  // Unrolled explicitly: if -O3 leaves this loop, g++ does not vectorize the loop around it.
  T sum = 0;
#pragma GCC unroll 32
  for (std::size_t k = terms; k > 0; --k) sum = sum * r + coefficients[k - 1];
  return sum;
}

/// x is clamped to slightly more than the range in which e^x is neither 0 nor infinite.
template <class T>
[[gnu::always_inline]] inline ExpParts<T> exp_parts(T x) {
  using F = Format<T>;
  constexpr T lowest = F::single ? T(-104) : T(-746), highest = F::single ? T(89) : T(710);
  x = x < lowest ? lowest : x > highest ? highest : x;  // a NaN stays
  // x = k ln 2 + r. Adding 1.5 * 2^fraction rounds x / ln 2 to an integer, which is then in the last bits.
  const T shift = T(3) * T(Bits<T>{1} << (F::fraction - 1));
  const T shifted = x * T(1.4426950408889634074) + shift;
  const T whole = shifted - shift;
  const T r = (x - whole * F::ln2_high) - whole * F::ln2_low;
  const T rest = r + r * r * exp_series < F::single ? 6 : 12 > (r);
  const Bits<T> k = std::bit_cast<Bits<T>>(shifted) - std::bit_cast<Bits<T>>(shift);
  constexpr Bits<T> even = 4096;  // makes k positive, so that the unsigned shift halves it rounding down
  const Bits<T> half = ((k + even) >> 1) - even / 2;
  const Bits<T> other = k - half;
  return {rest, power_of_2<T>(half), power_of_2<T>(other), power_of_2<T>(Bits<T>{0} - other)};
}

/// The logarithm of a finite x > 0. log(m 2^k) = k ln 2 + log(1 + f) for m = 1 + f between sqrt(1/2) and sqrt(2).
/// With s = f / (2 + f), log(1 + f) = 2 s + 2/3 s^3 + 2/5 s^5 + ... = f - s (f - 2/3 s^2 - ...).
template <class T>
[[gnu::always_inline]] inline T log_of_positive(T x) {
  using F = Format<T>;
  const bool tiny = x < std::numeric_limits<T>::min();
  const T normal = tiny ? x * T(Bits<T>{1} << F::fraction) : x;
  const auto root = std::bit_cast<Bits<T>>(T(0.70710678118654752));
  const auto bits = std::bit_cast<Bits<T>>(normal);
  // The exponent after scaling 1 + f into [sqrt(1/2), sqrt(2)): subtract the bits of sqrt(1/2), not those of 1.
  constexpr Bits<T> bias = F::bias + 64;  // keeps the exponent positive, for the conversion as an unsigned number
  const Bits<T> exponent = ((bits - root) + (bias << F::fraction)) >> F::fraction;
  const T f = std::bit_cast<T>(bits - ((exponent - bias) << F::fraction)) - 1;
  // Converts an integer below 2^fraction by setting the last bits of 2^fraction: not every processor has vector
  // conversions of 64-bit integers.
  const auto offset = std::bit_cast<Bits<T>>(T(Bits<T>{1} << F::fraction));
  const T k =
      (std::bit_cast<T>(exponent | offset) - T(Bits<T>{1} << F::fraction)) - T(bias) - (tiny ? T(F::fraction) : T(0));
  const T s = f / (2 + f), square = s * s;
  T series = 0;
#pragma GCC unroll 32
  for (int j = F::single ? 9 : 21; j >= 3; j -= 2) series = series * square + T(2.0 / j);
  return k * F::ln2_high + (f - (s * (f - square * series) - k * F::ln2_low));
}

}  // namespace detail

/// The standard normal distribution at x: its density, and its cumulative distribution function.
template <class T>
struct Normal {
  T density, cumulative;
};

/// e^x. Infinite above 88.72 (double: 709.78). Below -87.34 (double: -708.4) results are subnormal, rounded to their
/// precision, and finally 0.
template <class T>
[[gnu::always_inline]] inline T exp(T x) {
  const auto [rest, high, low, one_over_low] = detail::exp_parts(x);
  return (1 + rest) * high * low;
}

/// e^x - 1, accurate near 0. -1 at -inf.
template <class T>
[[gnu::always_inline]] inline T expm1(T x) {
  const auto [rest, high, low, one_over_low] = detail::exp_parts(x);
  return x == 0 ? x : (high * rest + (high - one_over_low)) * low;
}

/// The natural logarithm. -inf at 0, NaN below.
template <class T>
[[gnu::always_inline]] inline T log(T x) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T inside = detail::log_of_positive(x);
  const T above = x < infinity ? inside : x;  // +inf and NaN
  return x > 0 ? above : x == 0 ? -infinity : x < 0 ? std::numeric_limits<T>::quiet_NaN() : x;
}

/// log(1 + x), accurate near 0. -inf at -1, NaN below.
template <class T>
[[gnu::always_inline]] inline T log1p(T x) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T u = 1 + x;
  const T lost = x < 1 ? x - (u - 1) : 1 - (u - x);  // the rounding error of u
  const T inside = detail::log_of_positive(u) + lost / u;
  const T above = x < infinity ? inside : x;
  const T result = u > 0 ? above : u == 0 ? -infinity : u < 0 ? std::numeric_limits<T>::quiet_NaN() : x;
  return x == 0 ? x : result;
}

/// 1 / (1 + e^-x). In float, exactly 1 for x >= 16.6355324.
template <class T>
[[gnu::always_inline]] inline T sigmoid(T x) {
  const T e = exp(-std::abs(x));  // at most 1
  return (x >= 0 ? T(1) : e) / (1 + e);
}

/// The hyperbolic tangent. Exactly 1 and -1 far from 0, and odd: tanh(-x) = -tanh(x).
template <class T>
[[gnu::always_inline]] inline T tanh(T x) {
  const T e = expm1(-2 * std::abs(x));
  return std::copysign(e / (2 + e), x);
}

/// density = e^(-x^2 / 2) / sqrt(2 pi), cumulative = erfc(-x / sqrt 2) / 2. Both are accurate in the far tails.
/// For a = |x|, (1 + a) e^(a^2 / 2) cumulative(-a) is a Chebyshev series in (a - 5) / (a + 5) (Schonfelder, 1978). Its
/// coefficients were computed with mpmath to 60 digits.
template <class T>
[[gnu::always_inline]] inline Normal<T> normal(T x) {
  constexpr T coefficients[] = {
      T(4.6197421207218568091e-1),   T(-6.5165202394912630592e-2),  T(-5.4587815011365672231e-3),
      T(1.2296199045563439595e-2),   T(-6.470872915703687992e-3),   T(2.2407355224168305404e-3),
      T(-5.6386237746519737237e-4),  T(9.9840310829258115665e-5),   T(-9.8495148431684933698e-6),
      T(-4.0324942330452171263e-7),  T(2.990239620130340157e-7),    T(-3.0320707484428138666e-8),
      T(-4.6176657139290272614e-9),  T(1.3298288008382692107e-9),   T(3.0072427190190448448e-11),
      T(-4.4299537255328156613e-11), T(1.3999857147018150738e-12),  T(1.4718957028912570386e-12),
      T(-9.3259531191653719508e-14), T(-5.2946811690676951868e-14), T(3.9581884144145170827e-15),
      T(2.1048214642963193767e-15),  T(-1.3456712861361439243e-16), T(-9.0976149144958324287e-17)};
  const T far = std::abs(x), a = far > 40 ? T(40) : far;  // beyond 40 the density and the tail are 0
  // e^(-a^2 / 2), corrected for the rounding of a^2: `high` has so few bits that its square is exact.
  constexpr int low_bits = (detail::Format<T>::fraction + 2) / 2;
  const T high = std::bit_cast<T>(std::bit_cast<detail::Bits<T>>(a) >> low_bits << low_bits);
  const T square = a * a, lost = (high * high - square) + (a - high) * (a + high);
  const T e = exp(T(-0.5) * square), bell = e - e * (T(0.5) * lost);
  const T t = 2 * (a - 5) / (a + 5);
  T sum = 0, previous = 0;  // Clenshaw's summation
#pragma GCC unroll 32
  for (int k = detail::Format<T>::single ? 13 : 23; k > 0; --k) {
    const T next = coefficients[k] + (t * sum - previous);
    previous = sum;
    sum = next;
  }
  const T tail = bell * (coefficients[0] + (T(0.5) * t * sum - previous)) / (1 + a);
  return {bell * T(0.39894228040143267794), x > 0 ? 1 - tail : tail};
}

/// The error function: 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. Exactly 1 and -1 far from 0, and odd.
template <class T>
[[gnu::always_inline]] inline T erf(T x) {
  constexpr int terms = detail::Format<T>::single ? 11 : 19;
  // Of the Taylor series, 2 / sqrt(pi) (-1)^k / (k! (2 k + 1)). The first one is less 1, and x is added last, exactly.
  constexpr std::array<T, terms> coefficients = [] {
    std::array<T, terms> result{};
    double power = 1.1283791670955125739;
    for (int k = 0; k < terms; ++k) {
      result[static_cast<std::size_t>(k)] = static_cast<T>(power / (2 * k + 1));
      power /= -(k + 1);
    }
    result[0] = T(0.1283791670955125739);
    return result;
  }();
  const T square = x * x;
  T series = 0;
#pragma GCC unroll 32
  for (std::size_t k = terms; k > 0; --k) series = series * square + coefficients[k - 1];
  // The series for |x| < 1, the normal distribution's tail from there on.
  const T tail = normal(T(-1.41421356237309504880) * std::abs(x)).cumulative;
  return std::abs(x) < 1 ? x + x * series : std::copysign(1 - 2 * tail, x);
}

}  // namespace cornu::math
