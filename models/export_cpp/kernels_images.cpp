#include <array>

#include "cornu/models/export_cpp/kernels.h"

namespace cornu::detail {

namespace {

constexpr std::array image_kernels = {
    CppKernel{"Axis", R"(
// The windows along one axis of an image: the position of a tap of window i, and whether it is inside the image.
template <size in_, size out_, size taps_, size stride, size dilation, size before>
struct Axis {
  static constexpr size in = in_, out = out_, taps = taps_;
  static constexpr bool is_padded = before > 0 || (out - 1) * stride + (taps - 1) * dilation >= in;
  static constexpr size at(size i, size tap) { return i * stride + tap * dilation - before; }  // wraps below 0
  static constexpr bool has(size position) { return !is_padded || position < in; }
};
)"},
    CppKernel{"convolve",
              R"(
// x: (rows, columns, in), w: (taps, taps, in / groups, out), y: (rows, columns, out).
template <size in, size out, size groups, class Rows, class Columns, class Weight, class Scale, class Bias>
inline void convolve(const float* x, Rows, Columns, const Weight* w, Scale scale, Bias bias, float* y) {
  constexpr size from = in / groups, to = out / groups;
  for (size place = 0; place < Rows::out * Columns::out * groups; ++place) {
    const size group = place % groups, i = place / groups / Columns::out, j = place / groups % Columns::out;
    for_tiles<to>([=](auto first, auto width) {
      float sums[width] = {};
      for (size u = 0; u < Rows::taps; ++u) {
        const size row = Rows::at(i, u);
        if (!Rows::has(row)) continue;
        for (size v = 0; v < Columns::taps; ++v) {
          const size column = Columns::at(j, v);
          if (!Columns::has(column)) continue;
          const float* numbers = x + (row * Columns::in + column) * in + group * from;
          const Weight* filters = w + (u * Columns::taps + v) * from * out + group * to + first;
          for (size c = 0; c < from; ++c) add_product<width>(numbers[c], filters + c * out, sums);
        }
      }
      finish<width>(sums, group * to + first, scale, bias, y + place / groups * out);
    });
  }
}
)",
              {"tiles", "Axis"}},
    CppKernel{"convolve_each",
              R"(
// Depthwise: each channel has its own `filters` filters; w: (taps, taps, channels, filters).
template <size channels, size filters, class Rows, class Columns, class Weight, class Scale, class Bias>
inline void convolve_each(const float* x, Rows, Columns, const Weight* w, Scale scale, Bias bias, float* y) {
  constexpr size out = channels * filters;
  for (size place = 0; place < Rows::out * Columns::out; ++place) {
    for_tiles<out>([=](auto first, auto width) {
      float sums[width] = {};
      for (size u = 0; u < Rows::taps; ++u) {
        const size row = Rows::at(place / Columns::out, u);
        if (!Rows::has(row)) continue;
        for (size v = 0; v < Columns::taps; ++v) {
          const size column = Columns::at(place % Columns::out, v);
          if (!Columns::has(column)) continue;
          const float* numbers = x + (row * Columns::in + column) * channels;
          const Weight* weights = w + (u * Columns::taps + v) * out + first;
          for (size n = 0; n < width; ++n) sums[n] += numbers[(first + n) / filters] * static_cast<float>(weights[n]);
        }
      }
      finish<width>(sums, first, scale, bias, y + place * out);
    });
  }
}
)",
              {"tiles", "Axis"}},
    CppKernel{"pool",
              R"(
// Maximum or mean of each window and channel; x: (rows, columns, channels).
template <size channels, bool maximum, class Rows, class Columns>
inline void pool(const float* x, Rows, Columns, float* y) {
  for (size i = 0; i < Rows::out; ++i) {
    for (size j = 0; j < Columns::out; ++j, y += channels) {
      size count = 0;
      for (size u = 0; u < Rows::taps; ++u) {
        const size row = Rows::at(i, u);
        if (!Rows::has(row)) continue;
        for (size v = 0; v < Columns::taps; ++v) {
          const size column = Columns::at(j, v);
          if (!Columns::has(column)) continue;
          const float* from = x + (row * Columns::in + column) * channels;
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
)",
              {"Axis"}},
    CppKernel{"global_mean",
              R"(
// The mean of each channel; x: (pixels, channels). In blocks: a long sum of floats, one after the other, loses digits.
template <size pixels, size channels>
inline void global_mean(const float* x, float* y) {
  for_tiles<channels>([=](auto first, auto width) {
    float sums[width] = {};
    for (size p = 0; p < pixels;) {
      float part[width] = {};
      for (const size end = p + 64 < pixels ? p + 64 : pixels; p < end; ++p) {
        for (size c = 0; c < width; ++c) part[c] += x[p * channels + first + c];
      }
      for (size c = 0; c < width; ++c) sums[c] += part[c];
    }
    for (size c = 0; c < width; ++c) y[first + c] = sums[c] / static_cast<float>(pixels);
  });
}
)",
              {"tiles"}},
};

}  // namespace

std::span<const CppKernel> cpp_image_kernels() { return image_kernels; }

}  // namespace cornu::detail
