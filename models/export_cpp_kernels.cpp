#include "cornu/models/export_cpp_kernels.h"

#include <algorithm>
#include <array>

#include "cornu/core/error.h"

namespace cornu::detail {

namespace {

constexpr std::array kernels = {
    CppKernel{"dense", R"(
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
    CppKernel{"each", R"(
// y = f(x), number by number; y may be x.
template <size n, class F>
inline void each(const float* x, F f, float* y) {
  for (size i = 0; i < n; ++i) y[i] = f(x[i]);
}
)",
              "", true},
    CppKernel{"softmax", R"(
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
)",
              "", true},
    CppKernel{"log_softmax", R"(
// The logarithm of the softmax of each row of n numbers; y may be x.
template <size rows, size n>
inline void log_softmax(const float* x, float* y) {
  for (size r = 0; r < rows; ++r, x += n, y += n) {
    float peak = x[0], sum = 0;
    for (size k = 0; k < n; ++k) peak = x[k] > peak ? x[k] : peak;
    for (size k = 0; k < n; ++k) sum += std::exp(x[k] - peak);
    const float whole = peak + std::log(sum);
    for (size k = 0; k < n; ++k) y[k] = x[k] - whole;
  }
}
)",
              "", true},
    CppKernel{"normalize", R"(
// y = (x - mean) factor + sum, which each of n features has its own of; x: (outer, n, inner). No mean: 0, no sum: 0.
// y may be x.
template <size outer, size n, size inner>
inline void normalize(const float* x, const float* mean, const float* factor, const float* sum, float* y) {
  for (size o = 0; o < outer; ++o) {
    for (size k = 0; k < n; ++k) {
      for (size i = 0; i < inner; ++i, ++x, ++y) {
        *y = (*x - (mean == nullptr ? 0 : mean[k])) * factor[k] + (sum == nullptr ? 0 : sum[k]);
      }
    }
  }
}
)",
              "", true},
    CppKernel{"normalize_rows", R"(
// Each row of n numbers less its mean, over sqrt(its variance + epsilon), times gain, plus shift. No gain: 1, no
// shift: 0. y may be x.
template <size rows, size n>
inline void normalize_rows(const float* x, const float* gain, const float* shift, float epsilon, float* y) {
  for (size r = 0; r < rows; ++r, x += n, y += n) {
    float mean = 0, variance = 0;
    for (size k = 0; k < n; ++k) mean += x[k];
    mean /= static_cast<float>(n);
    for (size k = 0; k < n; ++k) variance += (x[k] - mean) * (x[k] - mean);
    const float factor = 1.0f / std::sqrt(variance / static_cast<float>(n) + epsilon);
    for (size k = 0; k < n; ++k) {
      y[k] = (x[k] - mean) * factor * (gain == nullptr ? 1 : gain[k]) + (shift == nullptr ? 0 : shift[k]);
    }
  }
}
)",
              "", true},
    CppKernel{"add", R"(
// y = a + b, number by number; y may be either.
template <size n>
inline void add(const float* a, const float* b, float* y) {
  for (size i = 0; i < n; ++i) y[i] = a[i] + b[i];
}
)",
              "", true},
    CppKernel{"put", R"(
// Copies rows of `width` numbers to where each of y's rows, of `stride` numbers, begins.
template <size rows, size width, size stride>
inline void put(const float* x, float* y) {
  for (size r = 0; r < rows; ++r) {
    for (size k = 0; k < width; ++k) y[r * stride + k] = x[r * width + k];
  }
}
)"},
    CppKernel{"Axis", R"(
// One step after the other along one axis of a window: where window i's tap lies, and whether that is in the image.
struct Axis {
  size in, out, taps, stride, dilation, before;
  constexpr size at(size i, size tap) const { return i * stride + tap * dilation - before; }  // wraps below 0
};
)"},
    CppKernel{"convolve", R"(
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
)",
              "Axis"},
    CppKernel{"pool", R"(
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
)",
              "Axis"},
    CppKernel{"global_mean", R"(
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
    CppKernel{"look_up", R"(
// For each of the n whole numbers in x its row of the table, (rows, width); for one that is not in the table, the
// nearest one that is.
template <size n, size rows, size width, class Weight>
inline void look_up(const float* x, const Weight* table, const float* scale, float* y) {
  for (size i = 0; i < n; ++i, y += width) {
    const size row = !(x[i] > 0) ? 0 : x[i] < static_cast<float>(rows) ? static_cast<size>(x[i]) : rows - 1;
    for (size k = 0; k < width; ++k) {
      y[k] = static_cast<float>(table[row * width + k]) * (scale == nullptr ? 1 : scale[k]);
    }
  }
}
)"},
    CppKernel{"lstm", R"(
// x: (steps, 4 units), what the input gives to the gates i, f, c, o; w: (units, 4 units). memory: h, c and the gates,
// (6 units). y: the last h, or all of them in the order of the turns. f and gate: the functions of the cell and of the
// gates.
template <size steps, size units, bool all, bool backwards, class Weight, class F, class Gate>
inline void lstm(const float* x, float* memory, const Weight* w, const float* scale, F f, Gate gate, float* y) {
  float *h = memory, *c = h + units, *products = c + units;
  for (size j = 0; j < 2 * units; ++j) memory[j] = 0;
  for (size turn = 0; turn < steps; ++turn) {
    const float* in = x + (backwards ? steps - 1 - turn : turn) * 4 * units;
    dense<1, units, 4 * units>(h, w, scale, nullptr, products);
    for (size j = 0; j < 4 * units; ++j) products[j] += in[j];
    for (size j = 0; j < units; ++j) {
      c[j] = gate(products[units + j]) * c[j] + gate(products[j]) * f(products[2 * units + j]);
      h[j] = gate(products[3 * units + j]) * f(c[j]);
    }
    if (!all && turn + 1 < steps) continue;
    for (size j = 0; j < units; ++j) *y++ = h[j];
  }
}
)",
              "dense"},
    CppKernel{"gru", R"(
// x: (steps, 3 units), what the input gives to the gates z, r and to the candidate; w_gates: (units, 2 units),
// w_candidate: (units, units), each with its scale and bias. memory: h, r h, the gates and the candidate, (5 units).
// The rest as for lstm.
template <size steps, size units, bool all, bool backwards, bool reset_after, class Weight, class F, class Gate>
inline void gru(const float* x, float* memory, const Weight* w_gates, const float* scale_gates, const float* bias_gates,
                const Weight* w_candidate, const float* scale_candidate, const float* bias_candidate, F f, Gate gate,
                float* y) {
  float *h = memory, *reset_h = h + units, *gates = reset_h + units, *candidate = gates + 2 * units;
  for (size j = 0; j < units; ++j) h[j] = 0;
  for (size turn = 0; turn < steps; ++turn) {
    const float* in = x + (backwards ? steps - 1 - turn : turn) * 3 * units;
    dense<1, units, 2 * units>(h, w_gates, scale_gates, bias_gates, gates);
    for (size j = 0; j < 2 * units; ++j) gates[j] = gate(gates[j] + in[j]);
    for (size j = 0; j < units; ++j) reset_h[j] = reset_after ? h[j] : gates[units + j] * h[j];
    dense<1, units, units>(reset_h, w_candidate, scale_candidate, bias_candidate, candidate);
    for (size j = 0; j < units; ++j) {
      const float inner = reset_after ? gates[units + j] * candidate[j] : candidate[j];
      h[j] = gates[j] * h[j] + (1 - gates[j]) * f(in[2 * units + j] + inner);
    }
    if (!all && turn + 1 < steps) continue;
    for (size j = 0; j < units; ++j) *y++ = h[j];
  }
}
)",
              "dense"},
    CppKernel{"attend", R"(
// For each head softmax(q k^T / sqrt(d)) v; q, k: (steps, heads, d), v, y: (steps, heads, width). Causal: step i of q
// sees none of k after its step i. scores: (steps).
template <size steps, size heads, size d, size width, bool causal>
inline void attend(const float* q, const float* k, const float* v, float* scores, float* y) {
  for (size at = 0; at < steps * heads; ++at, q += d, y += width) {
    const size step = at / heads, head = at % heads, seen = causal ? step + 1 : steps;
    float peak = 0, sum = 0;
    for (size s = 0; s < seen; ++s) {
      float product = 0;
      for (size j = 0; j < d; ++j) product += q[j] * k[(s * heads + head) * d + j];
      scores[s] = product / std::sqrt(static_cast<float>(d));
      if (s == 0 || scores[s] > peak) peak = scores[s];
    }
    for (size s = 0; s < seen; ++s) sum += scores[s] = std::exp(scores[s] - peak);
    for (size j = 0; j < width; ++j) y[j] = 0;
    for (size s = 0; s < seen; ++s) {
      const float weight = scores[s] / sum;
      for (size j = 0; j < width; ++j) y[j] += weight * v[(s * heads + head) * width + j];
    }
  }
}
)"},
};

}  // namespace

const CppKernel& cpp_kernel(std::string_view name) {
  const auto* const found =
      std::find_if(kernels.begin(), kernels.end(), [&](const CppKernel& kernel) { return kernel.name == name; });
  require<ValueError>(found != kernels.end(), "export_cpp: there is no kernel {}", name);
  return *found;
}

}  // namespace cornu::detail
