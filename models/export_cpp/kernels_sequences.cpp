#include <array>

#include "cornu/models/export_cpp/kernels.h"

namespace cornu::detail {

namespace {

constexpr std::array sequence_kernels = {
    CppKernel{"look_up",
              R"(
// y = the rows of the table, (rows, width), at the n indices in x. An index out of range gets the nearest row.
template <size n, size rows, size width, class Weight, class Scale>
inline void look_up(const float* x, const Weight* table, Scale scale, float* y) {
  for (size i = 0; i < n; ++i, y += width) {
    const size row = !(x[i] > 0) ? 0 : x[i] < static_cast<float>(rows) ? static_cast<size>(x[i]) : rows - 1;
    for (size k = 0; k < width; ++k) y[k] = static_cast<float>(table[row * width + k]) * at(scale, k, 1);
  }
}
)",
              {"at"}},
    CppKernel{"lstm",
              R"(
// As continue_lstm, from zeros.
template <size steps, size units, bool all, bool backwards, class Weight, class Scale, class F, class Gate>
inline void lstm(const float* x, float* memory, const Weight* w, Scale scale, F f, Gate gate, float* y) {
  for (size j = 0; j < 2 * units; ++j) memory[j] = 0;
  continue_lstm<steps, units, all, backwards>(x, memory, w, scale, f, gate, y);
}
)",
              {"continue_lstm"}},
    CppKernel{"continue_lstm",
              R"(
// x: (steps, 4 units), the input's share of the gates i, f, c, o; w: (units, 4 units). memory: h, c and the gates,
// (6 units). y: the last h, or every h in the order of computation. f, gate: activation and recurrent activation.
template <size steps, size units, bool all, bool backwards, class Weight, class Scale, class F, class Gate>
inline void continue_lstm(const float* x, float* memory, const Weight* w, Scale scale, F f, Gate gate, float* y) {
  float *h = memory, *c = h + units, *products = c + units;
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
              {"dense"}},
    CppKernel{"simple_rnn",
              R"(
// x: (steps, units), the input's share; w: (units, units). memory: h and its product, (2 units). y, f: as for lstm.
template <size steps, size units, bool all, bool backwards, class Weight, class Scale, class F>
inline void simple_rnn(const float* x, float* memory, const Weight* w, Scale scale, F f, float* y) {
  float *h = memory, *product = h + units;
  for (size j = 0; j < units; ++j) h[j] = 0;
  for (size turn = 0; turn < steps; ++turn) {
    const float* in = x + (backwards ? steps - 1 - turn : turn) * units;
    dense<1, units, units>(h, w, scale, nullptr, product);
    for (size j = 0; j < units; ++j) h[j] = f(product[j] + in[j]);
    if (!all && turn + 1 < steps) continue;
    for (size j = 0; j < units; ++j) *y++ = h[j];
  }
}
)",
              {"dense"}},
    CppKernel{"gru",
              R"(
// As continue_gru, from zeros.
template <size steps, size units, bool all, bool backwards, bool reset_after, class Weight, class Scale, class Bias,
          class F, class Gate>
inline void gru(const float* x, float* memory, const Weight* w_gates, Scale scale_gates, Bias bias_gates,
                const Weight* w_candidate, Scale scale_candidate, Bias bias_candidate, F f, Gate gate, float* y) {
  for (size j = 0; j < units; ++j) memory[j] = 0;
  continue_gru<steps, units, all, backwards, reset_after>(x, memory, w_gates, scale_gates, bias_gates, w_candidate,
                                                          scale_candidate, bias_candidate, f, gate, y);
}
)",
              {"continue_gru"}},
    CppKernel{"continue_gru",
              R"(
// x: (steps, 3 units), the input's share of the gates z, r and of the candidate; w_gates: (units, 2 units),
// w_candidate: (units, units), each with its scale and bias. memory: h, r h, the gates and the candidate, (5 units).
// y, f, gate: as for lstm.
template <size steps, size units, bool all, bool backwards, bool reset_after, class Weight, class Scale, class Bias,
          class F, class Gate>
inline void continue_gru(const float* x, float* memory, const Weight* w_gates, Scale scale_gates, Bias bias_gates,
                         const Weight* w_candidate, Scale scale_candidate, Bias bias_candidate, F f, Gate gate,
                         float* y) {
  float *h = memory, *reset_h = h + units, *gates = reset_h + units, *candidate = gates + 2 * units;
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
              {"dense"}},
    CppKernel{"attend", R"(
// y = softmax(q k^T / sqrt(d)) v for each head. q: (steps, heads, d), k: (keys, heads, d), v: (keys, heads, width),
// y: (steps, heads, width). scores: (keys). causal: step i attends to the keys 0 to i.
template <size steps, size keys, size heads, size d, size width, bool causal>
inline void attend(const float* q, const float* k, const float* v, float* scores, float* y) {
  for (size at = 0; at < steps * heads; ++at, q += d, y += width) {
    const size step = at / heads, head = at % heads, seen = causal && step + 1 < keys ? step + 1 : keys;
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

std::span<const CppKernel> cpp_sequence_kernels() { return sequence_kernels; }

}  // namespace cornu::detail
