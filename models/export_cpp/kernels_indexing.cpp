#include <array>

#include "cornu/models/export_cpp/kernels.h"

/// Kernels that select, scatter and interpolate, with their gradients, which are added to what is there.
namespace cornu::detail {

namespace {

constexpr std::array indexing_kernels = {
    CppKernel{"Positions", R"(
// Positions of an axis; -1 for none.
template <long... numbers>
struct Positions {
  static constexpr size count = sizeof...(numbers);
  static constexpr long at[] = {numbers..., 0};
};
)"},
    CppKernel{"take_axis",
              R"(
// y = the slices of x at some positions of the axis n, or `fill`; x: (outer, n, inner).
template <size outer, size n, size inner, class P>
inline void take_axis(const float* x, float fill, float* y) {
  for (size o = 0; o < outer; ++o, x += n * inner) {
    for (size k = 0; k < P::count; ++k) {
      const float* const from = P::at[k] < 0 ? nullptr : x + static_cast<size>(P::at[k]) * inner;
      for (size i = 0; i < inner; ++i) *y++ = from == nullptr ? fill : from[i];
    }
  }
}
)",
              {"Positions"}},
    CppKernel{"take_axis_gradient",
              R"(
template <size outer, size n, size inner, class P>
inline void take_axis_gradient(const float* g, float* d) {
  for (size o = 0; o < outer; ++o, d += n * inner) {
    for (size k = 0; k < P::count; ++k, g += inner) {
      for (size i = 0; P::at[k] >= 0 && i < inner; ++i) d[static_cast<size>(P::at[k]) * inner + i] += g[i];
    }
  }
}
)",
              {"Positions"}},
    CppKernel{"resample",
              R"(
// y = sums of slices of x along the axis n, with `taps` positions and weights each; x: (outer, n, inner).
template <size outer, size n, size inner, size taps, class P>
inline void resample(const float* x, const float* weights, float* y) {
  for (size o = 0; o < outer; ++o, x += n * inner) {
    for (size k = 0; k < P::count; ++k) {
      const float* const from = x + static_cast<size>(P::at[k]) * inner;
      for (size i = 0; i < inner; ++i) {
        const float before = k % taps == 0 ? 0.0f : y[i];
        y[i] = weights[k] == 0.0f ? before : before + weights[k] * from[i];  // a NaN of no weight does not count
      }
      if (k % taps == taps - 1) y += inner;
    }
  }
}
)",
              {"Positions"}},
    CppKernel{"resample_gradient",
              R"(
template <size outer, size n, size inner, size taps, class P>
inline void resample_gradient(const float* g, const float* weights, float* d) {
  for (size o = 0; o < outer; ++o, d += n * inner) {
    for (size k = 0; k < P::count; ++k) {
      for (size i = 0; i < inner; ++i) d[static_cast<size>(P::at[k]) * inner + i] += weights[k] * g[i];
      if (k % taps == taps - 1) g += inner;
    }
  }
}
)",
              {"Positions"}},
    CppKernel{"for_indices", R"(
// Calls f(i, position) for each index along an axis: its position in a value of n elements along that axis. A negative
// index counts from the end; one out of range gets the nearest element. indices: (outer, m, inner).
template <size outer, size n, size m, size inner, class F>
inline void for_indices(const float* indices, F f) {
  for (size i = 0; i < outer * m * inner; ++i) {
    const float index = indices[i] < 0.0f ? indices[i] + static_cast<float>(n) : indices[i];
    const size at = !(index > 0.0f) ? 0 : index < static_cast<float>(n) ? static_cast<size>(index) : n - 1;
    f(i, (i / (m * inner) * n + at) * inner + i % inner);
  }
}
)"},
    CppKernel{"take_along_axis",
              R"(
// y = the elements of x at the indices along the axis n; x: (outer, n, inner), indices: (outer, m, inner).
template <size outer, size n, size m, size inner>
inline void take_along_axis(const float* x, const float* indices, float* y) {
  for_indices<outer, n, m, inner>(indices, [=](size i, size at) { y[i] = x[at]; });
}
)",
              {"for_indices"}},
    CppKernel{"take_along_axis_gradient",
              R"(
template <size outer, size n, size m, size inner>
inline void take_along_axis_gradient(const float* indices, const float* g, float* d) {
  for_indices<outer, n, m, inner>(indices, [=](size i, size at) { d[at] += g[i]; });
}
)",
              {"for_indices"}},
    CppKernel{"scatter_add",
              R"(
// y = x, with the updates added at the indices along the axis n; x: (outer, n, inner), updates: (outer, m, inner).
template <size outer, size n, size m, size inner>
inline void scatter_add(const float* x, const float* indices, const float* updates, float* y) {
  for (size i = 0; i < outer * n * inner; ++i) y[i] = x[i];
  for_indices<outer, n, m, inner>(indices, [=](size i, size at) { y[at] += updates[i]; });
}
)",
              {"for_indices"}},
    CppKernel{"scatter_add_gradient",
              R"(
// The gradient of the updates.
template <size outer, size n, size m, size inner>
inline void scatter_add_gradient(const float* indices, const float* g, float* d) {
  for_indices<outer, n, m, inner>(indices, [=](size i, size at) { d[i] += g[at]; });
}
)",
              {"for_indices"}},
    CppKernel{"one_hot", R"(
// y[i, k] = 1 if x[i] is k, else 0; x has m elements, y: (m, n).
template <size m, size n>
inline void one_hot(const float* x, float* y) {
  for (size i = 0; i < m * n; ++i) y[i] = x[i / n] == static_cast<float>(i % n) ? 1.0f : 0.0f;
}
)"},
    CppKernel{"top_k_indices", R"(
// The positions of the k largest of n elements in each row, NaN above all; of equal elements, the first comes first.
template <size rows, size n, size k>
inline void top_k_indices(const float* x, float* y) {
  for (size r = 0; r < rows; ++r, x += n) {
    const auto before = [x](size a, size b) {
      const bool nan_a = x[a] != x[a], nan_b = x[b] != x[b];
      return nan_a != nan_b ? nan_a : x[a] > x[b] || (!(x[a] < x[b]) && a < b);
    };
    for (size j = 0, last = n; j < k; ++j) {
      size best = n;
      for (size i = 0; i < n; ++i) {
        if ((last == n || before(last, i)) && (best == n || before(i, best))) best = i;
      }
      *y++ = static_cast<float>(last = best);
    }
  }
}
)"},
    CppKernel{"convolve_transposed",
              R"(
// The transpose of `convolve`: x: (rows, columns, in), w: (taps, taps, out / groups, in), y: (rows, columns, out). The
// windows are on y.
template <size in, size out, size groups, class Rows, class Columns, class Weight, class Scale, class Bias>
inline void convolve_transposed(const float* x, Rows, Columns, const Weight* w, Scale scale, Bias bias, float* y) {
  constexpr size from = in / groups, to = out / groups;
  for (size i = 0; i < Rows::in * Columns::in * out; ++i) y[i] = at(bias, i % out, 0);
  for_taps<Rows, Columns>([=](size place, size tap, size pixel) {
    for (size n = 0; n < out; ++n) {
      const size first = n / to * from;
      float sum = 0;
      for (size c = first; c < first + from; ++c) {
        sum += x[place * in + c] * static_cast<float>(w[(tap * to + n % to) * in + c]) * at(scale, c, 1);
      }
      y[pixel * out + n] += sum;
    }
  });
}
)",
              {"at", "for_taps"}},
    CppKernel{"convolve_transposed_input_gradient",
              R"(
template <size in, size out, size groups, class Rows, class Columns>
inline void convolve_transposed_input_gradient(const float* g, Rows, Columns, const float* w, float* d) {
  constexpr size from = in / groups, to = out / groups;
  for_taps<Rows, Columns>([=](size place, size tap, size pixel) {
    for (size n = 0; n < out; ++n) {
      const size first = n / to * from;
      for (size c = first; c < first + from; ++c) {
        d[place * in + c] += g[pixel * out + n] * w[(tap * to + n % to) * in + c];
      }
    }
  });
}
)",
              {"for_taps"}},
};

}  // namespace

std::span<const CppKernel> cpp_indexing_kernels() { return indexing_kernels; }

}  // namespace cornu::detail
