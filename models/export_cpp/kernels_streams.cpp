#include <array>

#include "cornu/models/export_cpp/kernels.h"

namespace cornu::detail {

namespace {

constexpr std::array stream_kernels = {
    CppKernel{"dense_step",
              R"(
// As dense, for one row. The sums of even and of odd elements do not wait for each other.
template <size in, size out, class Weight, class Scale, class Bias>
inline void dense_step(const float* x, const Weight* w, Scale scale, Bias bias, float* y) {
  for_tiles<out>([=](auto first, auto width) {
    float even[width] = {}, odd[width] = {};
    for (size i = 0; i + 1 < in; i += 2) {
      add_product<width>(x[i], w + i * out + first, even);
      add_product<width>(x[i + 1], w + (i + 1) * out + first, odd);
    }
    if constexpr (in % 2 != 0) add_product<width>(x[in - 1], w + (in - 1) * out + first, even);
    for (size j = 0; j < width; ++j) even[j] += odd[j];
    finish<width>(even, first, scale, bias, y);
  });
}
)",
              {"tiles"}},
    CppKernel{"tanh_of", R"(
// tanh within 3.5e-7 of itself, without a call, so that compilers vectorise loops with it: v p(v^2) / q(v^2).
inline float tanh_of(float v) {
  v = 8.8f < v ? 8.8f : v;
  v = -8.8f > v ? -8.8f : v;
  const float s = v * v;
  const float p = (((4.82832334e-8f * s + 3.08579438e-5f) * s + 3.97432689e-3f) * s + 0.137584254f) * s + 1.0f;
  const float q = ((((6.88784363e-10f * s + 1.56166277e-6f) * s + 4.14598413e-4f) * s + 2.76135411e-2f) * s +
                   0.470917583f) * s + 1.0f;
  return v * p / q;
}

// The sigmoid, within 2e-7.
inline float gate_of(float v) { return 0.5f + 0.5f * tanh_of(0.5f * v); }
)"},
    CppKernel{"sigmoid_of", R"(
// 1 / (1 + e^-v), without a call, so that compilers vectorise loops with it. e^-v = 2^k e^r, with |r| <= ln(2) / 2.
inline float sigmoid_of(float v) {
  v = v < -87.0f ? -87.0f : v;
  v = v > 87.0f ? 87.0f : v;
  const float shifted = v * -1.44269504f + 12582912.0f, k = shifted - 12582912.0f;
  const float r = (-v - k * 0.693359375f) + k * 2.12194440e-4f;
  const float series =
      ((((((1.9841270e-4f * r + 1.3888889e-3f) * r + 8.3333333e-3f) * r + 4.1666667e-2f) * r + 0.16666667f) * r + 0.5f) *
           r + 1.0f) * r + 1.0f;
  std::uint32_t bits = 0;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127u) << 23;
  float power = 0;
  std::memcpy(&power, &bits, sizeof power);
  return 1.0f / (1.0f + series * power);
}
)"},
    CppKernel{"each_tanh",
              R"(
// y = tanh(x), elementwise; y may be x.
template <size n>
inline void each_tanh(const float* x, float* y) {
  for (size i = 0; i < n; ++i) y[i] = tanh_of(x[i]);
}
)",
              {"tanh_of"},
              true},
    CppKernel{"each_sigmoid",
              R"(
// y = sigmoid(x), elementwise; y may be x.
template <size n>
inline void each_sigmoid(const float* x, float* y) {
  for (size i = 0; i < n; ++i) y[i] = sigmoid_of(x[i]);
}
)",
              {"sigmoid_of"},
              true},
    CppKernel{"lstm_step",
              R"(
// One step. x: the input's share of the gates i, f, c, o, (4 units); w: (units, 4 units); memory: (4 units); state: h
// and c, (2 units). y: h. f, gate: activation and recurrent activation.
template <size units, class Weight, class Scale, class F, class Gate>
inline void lstm_step(const float* x, float* memory, const Weight* w, Scale scale, F f, Gate gate, float* state,
                      float* y) {
  float *h = state, *c = h + units, *i = memory, *forget = i + units, *g = forget + units, *o = g + units;
  dense_step<units, 4 * units>(h, w, scale, x, memory);
  for (size j = 0; j < 2 * units; ++j) memory[j] = gate(memory[j]);
  for (size j = 0; j < units; ++j) g[j] = f(g[j]);
  for (size j = 0; j < units; ++j) o[j] = gate(o[j]);
  for (size j = 0; j < units; ++j) c[j] = forget[j] * c[j] + i[j] * g[j];
  for (size j = 0; j < units; ++j) h[j] = o[j] * f(c[j]);
  for (size j = 0; j < units; ++j) y[j] = h[j];
}
)",
              {"dense_step", "tanh_of"}},
    CppKernel{"save_state", R"(
template <size n>
inline void save_state(const float* state, float* before) {
  for (size i = 0; i < n; ++i) before[i] = state[i];
}
)"},
    CppKernel{"keep_state", R"(
// Undoes a masked step. before: the state before it, (n), which begins with h, (units). y: h.
template <size n, size units>
inline void keep_state(const float* mask, const float* before, float* state, float* y) {
  if (mask[0] != 0.0f) return;
  for (size i = 0; i < n; ++i) state[i] = before[i];
  for (size i = 0; i < units; ++i) y[i] = state[i];
}
)"},
    CppKernel{"gru_step",
              R"(
// One step. x: the input's share of the gates z, r and of the candidate, (3 units); w_gates: (units, 2 units),
// w_candidate: (units, units), each with its scale and bias. memory: r h, the gates and the candidate, (4 units).
// state, y: h. f, gate: as for lstm_step.
template <size units, bool reset_after, class Weight, class Scale, class GatesBias, class ScaleCandidate,
          class CandidateBias, class F, class Gate>
inline void gru_step(const float* x, float* memory, const Weight* w_gates, Scale scale_gates, GatesBias bias_gates,
                     const Weight* w_candidate, ScaleCandidate scale_candidate, CandidateBias bias_candidate, F f,
                     Gate gate, float* state, float* y) {
  float *h = state, *reset_h = memory, *gates = reset_h + units, *candidate = gates + 2 * units;
  dense_step<units, 2 * units>(h, w_gates, scale_gates, bias_gates, gates);
  for (size j = 0; j < 2 * units; ++j) gates[j] = gate(gates[j] + x[j]);
  for (size j = 0; j < units; ++j) reset_h[j] = reset_after ? h[j] : gates[units + j] * h[j];
  dense_step<units, units>(reset_h, w_candidate, scale_candidate, bias_candidate, candidate);
  for (size j = 0; j < units; ++j) {
    const float sum = x[2 * units + j] + (reset_after ? gates[units + j] * candidate[j] : candidate[j]);
    h[j] = gates[j] * h[j] + (1.0f - gates[j]) * f(sum);
  }
  for (size j = 0; j < units; ++j) y[j] = h[j];
}
)",
              {"dense_step", "tanh_of"}},
    CppKernel{"simple_rnn_step",
              R"(
// One step. x: the input's share, (units); w: (units, units); memory: (units). state, y: h.
template <size units, class Weight, class Scale, class F>
inline void simple_rnn_step(const float* x, float* memory, const Weight* w, Scale scale, F f, float* state, float* y) {
  dense_step<units, units>(state, w, scale, x, memory);
  for (size j = 0; j < units; ++j) y[j] = state[j] = f(memory[j]);
}
)",
              {"dense_step", "tanh_of"}},
    CppKernel{"attend_step", R"(
// Attention of one step to the last `window` steps. q, k: (heads, d), v, y: (heads, width), scores: (window). state:
// keys (window, heads, d), values (window, heads, width), the number of steps known, and the place of the next.
template <size window, size heads, size d, size width>
inline void attend_step(const float* q, const float* k, const float* v, float* scores, float* state, float* y) {
  float *keys = state, *values = keys + window * heads * d, *counts = values + window * heads * width;
  const size place = static_cast<size>(counts[1]);
  for (size j = 0; j < heads * d; ++j) keys[place * heads * d + j] = k[j];
  for (size j = 0; j < heads * width; ++j) values[place * heads * width + j] = v[j];
  if (counts[0] < static_cast<float>(window)) counts[0] += 1.0f;
  counts[1] = place + 1 == window ? 0.0f : static_cast<float>(place + 1);
  const size seen = static_cast<size>(counts[0]);
  for (size head = 0; head < heads; ++head, q += d, y += width) {
    float peak = 0, sum = 0;
    for (size s = 0; s < seen; ++s) {
      float product = 0;
      for (size j = 0; j < d; ++j) product += q[j] * keys[(s * heads + head) * d + j];
      scores[s] = product / std::sqrt(static_cast<float>(d));
      if (s == 0 || scores[s] > peak) peak = scores[s];
    }
    for (size s = 0; s < seen; ++s) sum += scores[s] = std::exp(scores[s] - peak);
    for (size j = 0; j < width; ++j) y[j] = 0;
    for (size s = 0; s < seen; ++s) {
      const float weight = scores[s] / sum;
      for (size j = 0; j < width; ++j) y[j] += weight * values[(s * heads + head) * width + j];
    }
  }
}
)"},
    CppKernel{"next_window", R"(
// Adds a row to a ring of `rows` rows. counts: the place of the next row, the steps to wait, the rows so far. Returns
// true if a window ends here; `first` is then the place of its first row.
template <size width, size rows, size stride, bool waits>
inline bool next_window(const float* x, float* ring, size& first) {
  float* counts = ring + rows * width;
  const size place = static_cast<size>(counts[0]);
  for (size c = 0; c < width; ++c) ring[place * width + c] = x[c];
  first = place + 1 == rows ? 0 : place + 1;
  counts[0] = static_cast<float>(first);
  if (counts[2] < static_cast<float>(rows)) counts[2] += 1.0f;
  if (waits && counts[1] > 0) {
    counts[1] -= 1.0f;
    return false;
  }
  counts[1] = static_cast<float>(stride - 1);
  return true;
}
)"},
    CppKernel{"convolve_step",
              R"(
// One step of a convolution over time. ring: the rows of a window, and counts; w: (taps, in / groups, out). y: (out).
template <size in, size out, size groups, size taps, size dilation, size stride, bool waits, class Weight, class Scale,
          class Bias, class F>
inline bool convolve_step(const float* x, float* ring, const Weight* w, Scale scale, Bias bias, F f, float* y) {
  constexpr size rows = (taps - 1) * dilation + 1, from = in / groups, to = out / groups;
  size first = 0;
  if (!next_window<in, rows, stride, waits>(x, ring, first)) return false;
  for (size group = 0; group < groups; ++group) {
    for_tiles<to>([=](auto column, auto width) {
      float sums[width] = {}, second[width] = {}, third[width] = {}, fourth[width] = {};  // do not wait for each other
      for (size tap = 0; tap < taps; ++tap) {
        const size place = first + tap * dilation;
        const float* numbers = ring + (place < rows ? place : place - rows) * in + group * from;
        const Weight* filters = w + tap * from * out + group * to + column;
        constexpr size whole = from / 4 * 4;
        for (size c = 0; c < whole; c += 4) {
          add_product<width>(numbers[c], filters + c * out, sums);
          add_product<width>(numbers[c + 1], filters + (c + 1) * out, second);
          add_product<width>(numbers[c + 2], filters + (c + 2) * out, third);
          add_product<width>(numbers[c + 3], filters + (c + 3) * out, fourth);
        }
        for (size c = whole; c < from; ++c) add_product<width>(numbers[c], filters + c * out, sums);
      }
      for (size j = 0; j < width; ++j) sums[j] = (sums[j] + second[j]) + (third[j] + fourth[j]);
      finish<width>(sums, group * to + column, scale, bias, y);
    });
  }
  for (size j = 0; j < out; ++j) y[j] = f(y[j]);
  return true;
}
)",
              {"tiles", "next_window"}},
    CppKernel{"pool_step",
              R"(
// One step of pooling over time: the maximum, or the mean of the rows so far.
template <size channels, bool maximum, size taps, size dilation, size stride, bool waits>
inline bool pool_step(const float* x, float* ring, float* y) {
  size first = 0;
  if (!next_window<channels, taps, stride, waits>(x, ring, first)) return false;
  for (size c = 0; c < channels; ++c) {
    float result = ring[c];
    for (size tap = 1; tap < taps; ++tap) {
      const float other = ring[tap * channels + c];
      result = maximum ? (other > result || other != other ? other : result) : result + other;
    }
    y[c] = maximum ? result : result / ring[taps * channels + 2];
  }
  return true;
}
)",
              {"next_window"}},
    CppKernel{"next_row", R"(
// The row of this step; NaN after the last. count: the steps so far.
template <size rows, size width>
inline void next_row(const float* x, float* count, float* y) {
  const size row = static_cast<size>(*count);
  for (size j = 0; j < width; ++j) y[j] = row < rows ? x[row * width + j] : NAN;
  if (row < rows) *count += 1.0f;
}
)"},
};

}  // namespace

std::span<const CppKernel> cpp_stream_kernels() { return stream_kernels; }

}  // namespace cornu::detail
