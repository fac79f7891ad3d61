#include <array>

#include "cornu/models/export_cpp/kernels.h"

/// Functions that select and sum, and their gradients, which are added to what is there.
namespace cornu::detail {

namespace {

constexpr std::array selection_kernels = {
    CppKernel{"Selection", R"(
// An axis: its length, and the steps of the condition and of the operands a and b along it. A step of 0 repeats.
template <size n_, size c_, size a_, size b_>
struct Selection {
  static constexpr size n = n_, c = c_, a = a_, b = b_;
};
)"},
    CppKernel{"select",
              R"(
// y = a where c is not 0, else b, along these axes; y may be an operand of its size. Returns the end of y.
template <class Axis_, class... Axes>
inline float* select(const float* c, const float* a, const float* b, float* y) {
  for (size i = 0; i < Axis_::n; ++i, c += Axis_::c, a += Axis_::a, b += Axis_::b) {
    if constexpr (sizeof...(Axes) > 0) {
      y = select<Axes...>(c, a, b, y);
    } else {
      *y++ = *c != 0.0f ? *a : *b;
    }
  }
  return y;
}
)",
              {"Selection"},
              true},
    CppKernel{"select_gradient",
              R"(
// The gradient of a (of_a) or of b of `select`. Returns the end of g.
template <bool of_a, class Axis_, class... Axes>
inline const float* select_gradient(const float* c, const float* g, float* d) {
  for (size i = 0; i < Axis_::n; ++i, c += Axis_::c, d += of_a ? Axis_::a : Axis_::b) {
    if constexpr (sizeof...(Axes) > 0) {
      g = select_gradient<of_a, Axes...>(c, g, d);
    } else {
      if ((*c != 0.0f) == of_a) *d += *g;
      ++g;
    }
  }
  return g;
}
)",
              {"Selection"}},
    CppKernel{"log_sum_exp", R"(
// Logarithms of the sums of e^x along the axis n; x: (outer, n, inner). An infinite maximum is not subtracted.
template <size outer, size n, size inner>
inline void log_sum_exp(const float* x, float* y) {
  for (size s = 0; s < outer * inner; ++s) {
    const float* from = x + s / inner * n * inner + s % inner;
    float peak = from[0], sum = 0;
    for (size k = 0; k < n; ++k) peak = from[k * inner] > peak ? from[k * inner] : peak;
    if (!(std::fabs(peak) < INFINITY)) peak = 0;
    for (size k = 0; k < n; ++k) sum += std::exp(from[k * inner] - peak);
    y[s] = peak + std::log(sum);
  }
}
)"},
    CppKernel{"log_sum_exp_gradient", R"(
// The gradient of `log_sum_exp`: a softmax, or 0 where all elements are -INFINITY.
template <size outer, size n, size inner>
inline void log_sum_exp_gradient(const float* x, const float* g, float* d) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    float peak = x[first], sum = 0;
    for (size k = 0; k < n; ++k) peak = x[first + k * inner] > peak ? x[first + k * inner] : peak;
    if (!(std::fabs(peak) < INFINITY)) peak = 0;
    for (size k = 0; k < n; ++k) sum += std::exp(x[first + k * inner] - peak);
    const float scale = sum == 0.0f ? 0.0f : g[s] / sum;
    for (size k = 0; k < n; ++k) d[first + k * inner] += scale * std::exp(x[first + k * inner] - peak);
  }
}
)"},
    CppKernel{"product_gradient", R"(
// The gradient of products along the axis n: of each element the product of the others; x: (outer, n, inner).
template <size outer, size n, size inner>
inline void product_gradient(const float* x, const float* g, float* d) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    for (size k = 0; k < n; ++k) {
      float others = g[s];
      for (size j = 0; j < n; ++j) others *= j == k ? 1.0f : x[first + j * inner];
      d[first + k * inner] += others;
    }
  }
}
)"},
    CppKernel{"add_cumulative", R"(
// Adds the cumulative sums along the axis n to y, with or without the element itself, from either end; x: (outer, n,
// inner).
template <size outer, size n, size inner, bool exclusive, bool reverse>
inline void add_cumulative(const float* x, float* y) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    float sum = 0;
    for (size k = 0; k < n; ++k) {
      const size i = first + (reverse ? n - 1 - k : k) * inner;
      const float before = sum;
      sum += x[i];
      y[i] += exclusive ? before : sum;
    }
  }
}
)"},
    CppKernel{"cumulative",
              R"(
// Cumulative sums along the axis n: see add_cumulative.
template <size outer, size n, size inner, bool exclusive, bool reverse>
inline void cumulative(const float* x, float* y) {
  for (size i = 0; i < outer * n * inner; ++i) y[i] = 0;
  add_cumulative<outer, n, inner, exclusive, reverse>(x, y);
}
)",
              {"add_cumulative"}},
};

}  // namespace

std::span<const CppKernel> cpp_selection_kernels() { return selection_kernels; }

}  // namespace cornu::detail
