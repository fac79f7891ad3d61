#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

/// exp, log and their relatives without a branch and without a call, for loops that the compiler is to vectorise (the C
/// library's are calls, one number at a time). In float and in double; within 2 units in the last place; NaN in, NaN
/// out. Polynomials are the functions' own series, as long as the precision asks: on the short intervals that the
/// arguments are reduced to, fitted coefficients would save one term. The reductions are those of fdlibm (Sun, 1993).
namespace cornu::math {

namespace detail {

template <class T>
using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;

template <class T>
struct Format {
  static constexpr int fraction = std::numeric_limits<T>::digits - 1;  // bits after the leading one
  static constexpr Bits<T> bias = std::numeric_limits<T>::max_exponent - 1;
  static constexpr bool single = std::is_same_v<T, float>;
  // ln 2 in two parts, the first so short that its products with exponents are exact.
  static constexpr T ln2_high = single ? T(0.693359375) : T(6.93147180369123816490e-01);
  static constexpr T ln2_low = single ? T(-2.12194440054690581e-04) : T(1.90821492927058770002e-10);
};

/// 2^k for k + bias in the range of normal numbers, k a number in two's complement.
template <class T>
[[gnu::always_inline]] inline T power_of_2(Bits<T> k) {
  return std::bit_cast<T>((k + Format<T>::bias) << Format<T>::fraction);
}

/// e^x = (1 + rest) * high * low, with powers of two for the factors: one alone could overflow where e^x does not.
template <class T>
struct ExpParts {
  T rest, high, low, one_over_low;
};

/// 1/2! + r/3! + r^2/4! + ... to the precision of T for |r| <= ln(2) / 2, with `terms` of them.
template <int terms, class T>
[[gnu::always_inline]] inline T exp_series(T r) {
  constexpr std::array<T, terms> coefficients = [] {
    std::array<T, terms> result{};
    double factorial = 1;
    for (int k = 0; k < terms; ++k) result[static_cast<std::size_t>(k)] = static_cast<T>(1 / (factorial *= k + 2));
    return result;
  }();
  // Unrolled by name, and not by -O3 alone: a loop that is left in here keeps g++ from vectorising the one around it.
  T sum = 0;
#pragma GCC unroll 32
  for (std::size_t k = terms; k > 0; --k) sum = sum * r + coefficients[k - 1];
  return sum;
}

/// For x between the logarithms of half the smallest number and of the largest, and a little beyond.
template <class T>
[[gnu::always_inline]] inline ExpParts<T> exp_parts(T x) {
  using F = Format<T>;
  constexpr T lowest = F::single ? T(-104) : T(-746), highest = F::single ? T(89) : T(710);
  x = x < lowest ? lowest : x > highest ? highest : x;  // a NaN stays
  // x = k ln 2 + r. Added to 1.5 * 2^fraction, a number is rounded to a whole one, which the last bits then hold.
  const T shift = T(3) * T(Bits<T>{1} << (F::fraction - 1));
  const T shifted = x * T(1.4426950408889634074) + shift;
  const T whole = shifted - shift;
  const T r = (x - whole * F::ln2_high) - whole * F::ln2_low;
  const T rest = r + r * r * exp_series < F::single ? 6 : 12 > (r);
  const Bits<T> k = std::bit_cast<Bits<T>>(shifted) - std::bit_cast<Bits<T>>(shift);
  constexpr Bits<T> even = 4096;  // halving k + even, which is positive, is halving k downwards
  const Bits<T> half = ((k + even) >> 1) - even / 2;
  const Bits<T> other = k - half;
  return {rest, power_of_2<T>(half), power_of_2<T>(other), power_of_2<T>(Bits<T>{0} - other)};
}

/// log(m 2^k) = k ln 2 + log(1 + f), where 1 + f is the m between sqrt(1/2) and sqrt(2). With s = f / (2 + f) it is
/// log(1 + f) = 2 s + 2/3 s^3 + 2/5 s^5 + ... = f - s (f - 2/3 s^2 - ...). For x > 0, finite.
template <class T>
[[gnu::always_inline]] inline T log_of_positive(T x) {
  using F = Format<T>;
  const bool tiny = x < std::numeric_limits<T>::min();
  const T normal = tiny ? x * T(Bits<T>{1} << F::fraction) : x;
  const auto root = std::bit_cast<Bits<T>>(T(0.70710678118654752));
  const auto bits = std::bit_cast<Bits<T>>(normal);
  // The exponent after scaling 1 + f into [sqrt(1/2), sqrt(2)): the bits of sqrt(1/2) are subtracted, not those of 1.
  constexpr Bits<T> bias = F::bias + 64;  // so that it stays positive and can become a T as an unsigned number
  const Bits<T> exponent = ((bits - root) + (bias << F::fraction)) >> F::fraction;
  const T f = std::bit_cast<T>(bits - ((exponent - bias) << F::fraction)) - 1;
  // A whole number below 2^fraction as the last bits of 2^fraction: conversions of 64 bits are not in every processor.
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

/// The standard normal distribution at x: its density, and its integral from -inf to x.
template <class T>
struct Normal {
  T density, cumulative;
};

/// e^x. Infinite above 88.72 (double: 709.78); below -87.34 (-708.4) through the subnormal numbers, with their
/// precision, down to 0.
template <class T>
[[gnu::always_inline]] inline T exp(T x) {
  const auto [rest, high, low, one_over_low] = detail::exp_parts(x);
  return (1 + rest) * high * low;
}

/// e^x - 1, accurate near 0 too. -1 at -inf.
template <class T>
[[gnu::always_inline]] inline T expm1(T x) {
  const auto [rest, high, low, one_over_low] = detail::exp_parts(x);
  return x == 0 ? x : (high * rest + (high - one_over_low)) * low;
}

/// The natural logarithm: -inf at 0, NaN below.
template <class T>
[[gnu::always_inline]] inline T log(T x) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T inside = detail::log_of_positive(x);
  const T above = x < infinity ? inside : x;  // +inf and NaN
  return x > 0 ? above : x == 0 ? -infinity : x < 0 ? std::numeric_limits<T>::quiet_NaN() : x;
}

/// log(1 + x), accurate near 0 too: -inf at -1, NaN below.
template <class T>
[[gnu::always_inline]] inline T log1p(T x) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T u = 1 + x;
  const T lost = x < 1 ? x - (u - 1) : 1 - (u - x);  // what the rounding of u took
  const T inside = detail::log_of_positive(u) + lost / u;
  const T above = x < infinity ? inside : x;
  const T result = u > 0 ? above : u == 0 ? -infinity : u < 0 ? std::numeric_limits<T>::quiet_NaN() : x;
  return x == 0 ? x : result;
}

/// 1 / (1 + e^-x). Exactly 1 from 16.6355324 on in float.
template <class T>
[[gnu::always_inline]] inline T sigmoid(T x) {
  const T e = exp(-std::abs(x));  // at most 1
  return (x >= 0 ? T(1) : e) / (1 + e);
}

/// Exactly 1 and -1 far from 0, and odd: tanh(-x) = -tanh(x).
template <class T>
[[gnu::always_inline]] inline T tanh(T x) {
  const T e = expm1(-2 * std::abs(x));
  return std::copysign(e / (2 + e), x);
}

/// density = e^(-x^2 / 2) / sqrt(2 pi), cumulative = erfc(-x / sqrt 2) / 2: both precise out to where they are 0, too.
/// For a = |x|, (1 + a) e^(a^2 / 2) cumulative(-a) is a sum of Chebyshev's polynomials of (a - 5) / (a + 5), whose
/// coefficients mpmath computed with 60 digits (the form is that of Schonfelder, 1978).
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
  const T far = std::abs(x), a = far > 40 ? T(40) : far;  // where both are 0
  // e^(-a^2 / 2), with what the rounding of a^2 took: `high` has so few bits that its square is exact.
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

}  // namespace cornu::math
