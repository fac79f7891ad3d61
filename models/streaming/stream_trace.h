#pragma once

#include <optional>

#include "cornu/core/autodiff/trace.h"

namespace cornu {
class Sequential;
}

namespace cornu::detail {

/// What a model computes in one time step. Its batch axis counts steps, and the axis of time has one element. Most ops
/// act on each step by itself and are as in the trace of the whole sequence. The others remember earlier steps, and
/// their names begin with "stream_":
///
///     stream_lstm, stream_gru, stream_simple_rnn, ...   attributes and operands of the op without the prefix
///     stream_conv2d, stream_depthwise_conv2d, stream_max_pool2d, stream_average_pool2d
///                          the same, for windows over time alone; `axis`: 1 if time is the second axis of the image;
///                          `waits`: some steps have no row of the result
///     stream_attend        q, k, v; `num_heads`, `window`: the keys that it remembers
///     stream_rows          a parameter or constant with a row for each step, (1, ..., rows, ...); `axis`: of the rows
///
/// A strided op has a row for every `stride`-th step only.
struct StreamTrace {
  Trace trace;
  Index latency = 0;                  ///< steps before the one with the first row of the output
  Index stride = 1;                   ///< steps from one row of the output to the next
  std::optional<Index> most_steps{};  ///< rows of the shortest stream_rows
};

/// keep: which composed ops stay one op. window: keys that causal attention remembers; 0: the steps of the model's
/// input. Throws as trace(model), and ValueError, naming layer and op, for what cannot be computed step by step.
StreamTrace stream_trace(const Sequential& model, const std::function<bool(const Trace::Op&)>& keep, Index window);

}  // namespace cornu::detail
