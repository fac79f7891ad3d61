#include "cornu/models/export_cpp_kernels.h"

#include <algorithm>
#include <array>

#include "cornu/core/error.h"

namespace cornu::detail {

namespace {

struct Kernel {
  std::string_view name, text;
};

constexpr std::array kernels = {
    Kernel{"dense", R"(
// y = x w scale + bias, for `rows` rows of x; w: (in, out). No scale: 1, no bias: 0.
template <size rows, size in, size out, class Weight>
inline void dense(const float* x, const Weight* w, const float* scale, const float* bias, float* y) {
  for (size r = 0; r < rows; ++r, x += in, y += out) {
    for (size j = 0; j < out; ++j) y[j] = 0;
    for (size i = 0; i < in; ++i) {
      const float number = x[i];
      for (size j = 0; j < out; ++j) y[j] += number * static_cast<float>(w[i * out + j]);
    }
    for (size j = 0; scale != nullptr && j < out; ++j) y[j] *= scale[j];
    for (size j = 0; bias != nullptr && j < out; ++j) y[j] += bias[j];
  }
}
)"},
    Kernel{"convolve", R"(
// One step after the other along one axis of a window: where window i's tap lies, and whether that is in the image.
struct Axis {
  size in, out, taps, stride, dilation, before;
  constexpr size at(size i, size tap) const { return i * stride + tap * dilation - before; }  // wraps below 0
};

// x: (rows, columns, in), w: (taps, taps, in / groups, out), y: (rows, columns, out).
template <size in, size out, size groups, class Weight>
inline void convolve(const float* x, Axis rows, Axis columns, const Weight* w, const float* scale, const float* bias,
                     float* y) {
  constexpr size from = in / groups, to = out / groups;
  for (size i = 0; i < rows.out; ++i) {
    for (size j = 0; j < columns.out; ++j, y += out) {
      for (size n = 0; n < out; ++n) y[n] = 0;
      for (size u = 0; u < rows.taps; ++u) {
        const size row = rows.at(i, u);
        if (row >= rows.in) continue;
        for (size v = 0; v < columns.taps; ++v) {
          const size column = columns.at(j, v);
          if (column >= columns.in) continue;
          for (size c = 0; c < in; ++c) {
            const float number = x[(row * columns.in + column) * in + c];
            const Weight* filters = w + ((u * columns.taps + v) * from + c % from) * out + c / from * to;
            float* sums = y + c / from * to;
            for (size n = 0; n < to; ++n) sums[n] += number * static_cast<float>(filters[n]);
          }
        }
      }
      for (size n = 0; scale != nullptr && n < out; ++n) y[n] *= scale[n];
      for (size n = 0; bias != nullptr && n < out; ++n) y[n] += bias[n];
    }
  }
}
)"},
    Kernel{"pool", R"(
// The maximum or the mean of each window and channel; x: (rows, columns, channels).
template <size channels, bool maximum>
inline void pool(const float* x, Axis rows, Axis columns, float* y) {
  for (size i = 0; i < rows.out; ++i) {
    for (size j = 0; j < columns.out; ++j, y += channels) {
      size count = 0;
      for (size u = 0; u < rows.taps; ++u) {
        const size row = rows.at(i, u);
        if (row >= rows.in) continue;
        for (size v = 0; v < columns.taps; ++v) {
          const size column = columns.at(j, v);
          if (column >= columns.in) continue;
          const float* from = x + (row * columns.in + column) * channels;
          for (size c = 0; c < channels; ++c) {
            if (count == 0) {
              y[c] = from[c];
            } else if (maximum) {
              y[c] = from[c] > y[c] || from[c] != from[c] ? from[c] : y[c];
            } else {
              y[c] += from[c];
            }
          }
          ++count;
        }
      }
      for (size c = 0; !maximum && c < channels; ++c) y[c] /= static_cast<float>(count);
    }
  }
}
)"},
    Kernel{"global_mean", R"(
// The mean of each channel; x: (pixels, channels).
template <size pixels, size channels>
inline void global_mean(const float* x, float* y) {
  for (size c = 0; c < channels; ++c) y[c] = 0;
  for (size p = 0; p < pixels; ++p, x += channels) {
    for (size c = 0; c < channels; ++c) y[c] += x[c];
  }
  for (size c = 0; c < channels; ++c) y[c] /= static_cast<float>(pixels);
}
)"},
    Kernel{"each", R"(
// y = f(x), number by number; y may be x.
template <size n, class F>
inline void each(const float* x, F f, float* y) {
  for (size i = 0; i < n; ++i) y[i] = f(x[i]);
}
)"},
    Kernel{"softmax", R"(
// Along the axis of n; x: (outer, n, inner). y may be x.
template <size outer, size n, size inner>
inline void softmax(const float* x, float* y) {
  for (size s = 0; s < outer * inner; ++s) {
    const size first = s / inner * n * inner + s % inner;
    float peak = x[first], sum = 0;
    for (size k = 0; k < n; ++k) peak = x[first + k * inner] > peak ? x[first + k * inner] : peak;
    for (size k = 0; k < n; ++k) sum += y[first + k * inner] = std::exp(x[first + k * inner] - peak);
    for (size k = 0; k < n; ++k) y[first + k * inner] /= sum;
  }
}
)"},
};

}  // namespace

std::string_view cpp_kernel(std::string_view name) {
  const auto* const found =
      std::find_if(kernels.begin(), kernels.end(), [&](const Kernel& kernel) { return kernel.name == name; });
  require<ValueError>(found != kernels.end(), "export_cpp: there is no kernel {}", name);
  return found->text;
}

}  // namespace cornu::detail
