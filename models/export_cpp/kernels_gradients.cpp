#include <array>

#include "cornu/models/export_cpp/kernels.h"

/// Functions of trainable headers. Gradients are added to what is there.
namespace cornu::detail {

namespace {

constexpr std::array gradient_kernels = {
    CppKernel{"zero", R"(
template <size n>
inline void zero(float* y) {
  for (size i = 0; i < n; ++i) y[i] = 0;
}
)"},
    CppKernel{"squared_error", R"(
// The mean of (y - target)^2. d = its gradient times scale.
template <size n>
inline float squared_error(const float* y, const float* target, float scale, float* d) {
  float loss = 0;
  for (size i = 0; i < n; ++i) {
    const float error = y[i] - target[i];
    loss += error * error;
    d[i] = 2.0f * error * scale / static_cast<float>(n);
  }
  return loss / static_cast<float>(n);
}
)"},
    CppKernel{"cross_entropy",
              R"(
// The mean over rows of -sum target log softmax(x). d = its gradient times scale.
template <size rows, size classes>
inline float cross_entropy(const float* x, const float* target, float scale, float* d) {
  float loss = 0;
  softmax<rows, classes, 1>(x, d);
  for (size r = 0; r < rows; ++r, x += classes, target += classes, d += classes) {
    float peak = x[0], sum = 0, all = 0;
    for (size k = 0; k < classes; ++k) peak = x[k] > peak ? x[k] : peak;
    for (size k = 0; k < classes; ++k) sum += std::exp(x[k] - peak);
    for (size k = 0; k < classes; ++k) {
      loss += target[k] * (peak + std::log(sum) - x[k]);
      all += target[k];
    }
    for (size k = 0; k < classes; ++k) d[k] = (d[k] * all - target[k]) * scale / static_cast<float>(rows);
  }
  return loss / static_cast<float>(rows);
}
)",
              {"softmax"}},
    CppKernel{"sparse_cross_entropy",
              R"(
// The mean over rows of -log softmax(x)[label], NaN for a label that is no class. d = its gradient times scale.
template <size rows, size classes>
inline float sparse_cross_entropy(const float* x, const float* labels, float scale, float* d) {
  float loss = 0;
  softmax<rows, classes, 1>(x, d);
  for (size r = 0; r < rows; ++r, x += classes, d += classes) {
    const bool is_class = labels[r] >= 0.0f && labels[r] < static_cast<float>(classes);
    const size label = is_class ? static_cast<size>(labels[r]) : 0;
    float peak = x[0], sum = 0;
    for (size k = 0; k < classes; ++k) peak = x[k] > peak ? x[k] : peak;
    for (size k = 0; k < classes; ++k) sum += std::exp(x[k] - peak);
    loss += is_class && labels[r] == static_cast<float>(label) ? peak + std::log(sum) - x[label] : NAN;
    d[label] -= 1.0f;
    for (size k = 0; k < classes; ++k) d[k] *= scale / static_cast<float>(rows);
  }
  return loss / static_cast<float>(rows);
}
)",
              {"softmax"}},
    CppKernel{"dense_input_gradient", R"(
// d += g w^T, for `rows` rows of g; w: (in, out).
template <size rows, size in, size out>
inline void dense_input_gradient(const float* g, const float* w, float* d) {
  for (size r = 0; r < rows; ++r, g += out, d += in) {
    for (size i = 0; i < in; ++i) {
      float sum = 0;
      for (size j = 0; j < out; ++j) sum += g[j] * w[i * out + j];
      d[i] += sum;
    }
  }
}
)"},
    CppKernel{"dense_weight_gradient", R"(
// d += x^T g, for `rows` rows of x and g.
template <size rows, size in, size out>
inline void dense_weight_gradient(const float* x, const float* g, float* d) {
  for (size r = 0; r < rows; ++r, x += in, g += out) {
    for (size i = 0; i < in; ++i) {
      for (size j = 0; j < out; ++j) d[i * out + j] += x[i] * g[j];
    }
  }
}
)"},
    CppKernel{"add_rows", R"(
// d += the sum of the rows of g.
template <size rows, size n>
inline void add_rows(const float* g, float* d) {
  for (size i = 0; i < rows * n; ++i) d[i % n] += g[i];
}
)"},
    CppKernel{"for_taps",
              R"(
// Calls f(place, tap, pixel) for each place of the result, each tap of its window, and the pixel that it covers.
template <class Rows, class Columns, class F>
inline void for_taps(F f) {
  for (size place = 0; place < Rows::out * Columns::out; ++place) {
    for (size tap = 0; tap < Rows::taps * Columns::taps; ++tap) {
      const size row = Rows::at(place / Columns::out, tap / Columns::taps);
      const size column = Columns::at(place % Columns::out, tap % Columns::taps);
      if (Rows::has(row) && Columns::has(column)) f(place, tap, row * Columns::in + column);
    }
  }
}
)",
              {"Axis"}},
    CppKernel{"convolve_input_gradient",
              R"(
// The gradient of the image of `convolve`.
template <size in, size out, size groups, class Rows, class Columns>
inline void convolve_input_gradient(const float* g, Rows, Columns, const float* w, float* d) {
  constexpr size from = in / groups, to = out / groups;
  for_taps<Rows, Columns>([=](size place, size tap, size pixel) {
    for (size group = 0; group < groups; ++group) {
      for (size c = 0; c < from; ++c) {
        float sum = 0;
        for (size n = 0; n < to; ++n) sum += g[place * out + group * to + n] * w[(tap * from + c) * out + group * to + n];
        d[pixel * in + group * from + c] += sum;
      }
    }
  });
}
)",
              {"for_taps"}},
    CppKernel{"convolve_weight_gradient",
              R"(
// The gradient of the weights of `convolve`.
template <size in, size out, size groups, class Rows, class Columns>
inline void convolve_weight_gradient(const float* x, const float* g, Rows, Columns, float* d) {
  constexpr size from = in / groups, to = out / groups;
  for_taps<Rows, Columns>([=](size place, size tap, size pixel) {
    for (size c = 0; c < from; ++c) {
      for (size n = 0; n < out; ++n) {
        d[(tap * from + c) * out + n] += x[pixel * in + n / to * from + c] * g[place * out + n];
      }
    }
  });
}
)",
              {"for_taps"}},
    CppKernel{"convolve_each_input_gradient",
              R"(
// The gradient of the image of `convolve_each`.
template <size channels, size filters, class Rows, class Columns>
inline void convolve_each_input_gradient(const float* g, Rows, Columns, const float* w, float* d) {
  constexpr size out = channels * filters;
  for_taps<Rows, Columns>([=](size place, size tap, size pixel) {
    for (size n = 0; n < out; ++n) d[pixel * channels + n / filters] += g[place * out + n] * w[tap * out + n];
  });
}
)",
              {"for_taps"}},
    CppKernel{"convolve_each_weight_gradient",
              R"(
// The gradient of the weights of `convolve_each`.
template <size channels, size filters, class Rows, class Columns>
inline void convolve_each_weight_gradient(const float* x, const float* g, Rows, Columns, float* d) {
  constexpr size out = channels * filters;
  for_taps<Rows, Columns>([=](size place, size tap, size pixel) {
    for (size n = 0; n < out; ++n) d[tap * out + n] += x[pixel * channels + n / filters] * g[place * out + n];
  });
}
)",
              {"for_taps"}},
    CppKernel{"drop_negative", R"(
// g = 0 where y is not above 0: the gradient of a relu with result y.
template <size n>
inline void drop_negative(const float* y, float* g) {
  for (size i = 0; i < n; ++i) g[i] = y[i] > 0.0f ? g[i] : 0.0f;
}
)"},
    CppKernel{"pool_gradient",
              R"(
// The gradient of `pool`. A maximum gives its gradient to the first element that is equal to it.
template <size channels, bool maximum, class Rows, class Columns>
inline void pool_gradient(const float* x, const float* g, Rows, Columns, float* d) {
  for (size place = 0; place < Rows::out * Columns::out; ++place) {
    for (size c = 0; c < channels; ++c) {
      size count = 0, best = 0;
      float* const none = nullptr;
      const auto each = [&](float part, float* to) {
        for (size tap = 0; tap < Rows::taps * Columns::taps; ++tap) {
          const size row = Rows::at(place / Columns::out, tap / Columns::taps);
          const size column = Columns::at(place % Columns::out, tap % Columns::taps);
          if (!Rows::has(row) || !Columns::has(column)) continue;
          const size at = (row * Columns::in + column) * channels + c;
          if (to != none) {
            to[at] += part;
          } else if (count++ == 0 || x[at] > x[best]) {
            best = at;
          }
        }
      };
      each(0.0f, none);
      const float part = g[place * channels + c];
      if constexpr (maximum) {
        d[best] += part;
      } else {
        each(part / static_cast<float>(count), d);
      }
    }
  }
}
)",
              {"Axis"}},
    CppKernel{"each_gradient", R"(
// d += slope(x) g, elementwise.
template <size n, class F>
inline void each_gradient(const float* x, const float* g, F slope, float* d) {
  for (size i = 0; i < n; ++i) d[i] += slope(x[i]) * g[i];
}
)"},
    CppKernel{"combine_gradient",
              R"(
// d += slope(a, b) g, along the axes of `combine`. d: the gradient of a (of_a) or of b. Returns the end of g.
template <bool of_a, class Axis_, class... Axes, class F>
inline const float* combine_gradient(const float* a, const float* b, const float* g, F slope, float* d) {
  for (size i = 0; i < Axis_::n; ++i, a += Axis_::a, b += Axis_::b, d += of_a ? Axis_::a : Axis_::b) {
    if constexpr (sizeof...(Axes) > 0) {
      g = combine_gradient<of_a, Axes...>(a, b, g, slope, d);
    } else {
      *d += slope(*a, *b) * *g++;
    }
  }
  return g;
}
)",
              {"Along"}},
    CppKernel{"softmax_gradient", R"(
// y: softmax along the axis n; (outer, n, inner).
template <size outer, size n, size inner>
inline void softmax_gradient(const float* y, const float* g, float* d) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    float sum = 0;
    for (size k = 0; k < n; ++k) sum += y[first + k * inner] * g[first + k * inner];
    for (size k = 0; k < n; ++k) d[first + k * inner] += y[first + k * inner] * (g[first + k * inner] - sum);
  }
}
)"},
    CppKernel{"log_softmax_gradient", R"(
// y: logarithm of the softmax along the axis n; (outer, n, inner).
template <size outer, size n, size inner>
inline void log_softmax_gradient(const float* y, const float* g, float* d) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    float sum = 0;
    for (size k = 0; k < n; ++k) sum += g[first + k * inner];
    for (size k = 0; k < n; ++k) d[first + k * inner] += g[first + k * inner] - std::exp(y[first + k * inner]) * sum;
  }
}
)"},
    CppKernel{"max_gradient", R"(
// The gradient of maxima y along the axis n, which equal elements share; x: (outer, n, inner).
template <size outer, size n, size inner>
inline void max_gradient(const float* x, const float* y, const float* g, float* d) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    size sharing = 0;
    for (size k = 0; k < n; ++k) sharing += x[first + k * inner] == y[s] ? 1 : 0;
    for (size k = 0; k < n; ++k) {
      if (x[first + k * inner] == y[s]) d[first + k * inner] += g[s] / static_cast<float>(sharing);
    }
  }
}
)"},
    CppKernel{"spread", R"(
// d += g / divisor, repeated along the axis n; d: (outer, n, inner).
template <size outer, size n, size inner>
inline void spread(const float* g, float divisor, float* d) {
  for (size i = 0; i < outer * n * inner; ++i) d[i] += g[i / (n * inner) * inner + i % inner] / divisor;
}
)"},
    CppKernel{"add_copy", R"(
// Adds rows of `width` elements. from, to: how far apart the rows of g and d begin.
template <size rows, size width, size from, size to>
inline void add_copy(const float* g, float* d) {
  for (size r = 0; r < rows; ++r) {
    for (size k = 0; k < width; ++k) d[r * to + k] += g[r * from + k];
  }
}
)"},
    CppKernel{"add_slice",
              R"(
// Adds rows of `width` elements to a part of the rows of d, from element `begin` on.
template <size rows, size width, size stride, size begin>
inline void add_slice(const float* g, float* d) {
  add_copy<rows, width, width, stride>(g, d + begin);
}
)",
              {"add_copy"}},
    CppKernel{"transpose_gradient",
              R"(
// d += g, along the axes of `transpose`. Returns the end of g.
template <class Axis_, class... Axes>
inline const float* transpose_gradient(const float* g, float* d) {
  for (size i = 0; i < Axis_::n; ++i, d += Axis_::a) {
    if constexpr (sizeof...(Axes) > 0) {
      g = transpose_gradient<Axes...>(g, d);
    } else {
      *d += *g++;
    }
  }
  return g;
}
)",
              {"Along"}},
    CppKernel{"look_up_gradient", R"(
// The gradient of the table of `look_up`.
template <size n, size rows, size width>
inline void look_up_gradient(const float* x, const float* g, float* d) {
  for (size i = 0; i < n; ++i, g += width) {
    const size row = !(x[i] > 0) ? 0 : x[i] < static_cast<float>(rows) ? static_cast<size>(x[i]) : rows - 1;
    for (size k = 0; k < width; ++k) d[row * width + k] += g[k];
  }
}
)"},
};

}  // namespace

std::span<const CppKernel> cpp_gradient_kernels() { return gradient_kernels; }

}  // namespace cornu::detail
