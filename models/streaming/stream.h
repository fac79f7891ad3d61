#pragma once

#include "cornu/core/compiler.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/ops/op_calls.h"

namespace cornu {

class Sequential;
namespace detail {
class StreamPlan;
}

struct StreamOptions {
  /// Steps that causal attention remembers, counted at its input; 0: as many as the model's input has.
  Index attention_window = 0;
  /// The most steps that are computed together. Blocks of more steps are divided. More steps need more memory.
  Index block_size = 64;
};

/// A trained model that is given one time step after the other, and remembers what it needs of the earlier ones:
///
///     Sequential model{Input{512, 1}, LSTM{.units = 20, .return_sequences = true}, Dense{1}};   // (steps, features)
///     ...
///     Stream stream(model);
///     stream.step(samples, results);   // any number of steps, as they arrive
///
/// Results equal those of `predict` on the sequence of all steps so far, but for rounding. The number of steps of the
/// model's input does not limit a stream. If the model returns one result of the whole sequence, such as the last state
/// of an LSTM, each step returns that of the sequence so far.
///
/// It is built from the ops of the model (models/trace.h), so that users' layers stream, too: ops that act on each step
/// by itself, LSTM, GRU, SimpleRNN, convolutions and pooling over time that do not look ahead, and causal attention.
/// Strided windows compute a result for every stride-th step only; until the next one, steps repeat the last.
///
/// An Embedding uses the nearest row for an index out of range, where predict throws.
///
/// A Stream copies what it needs of the model. Copies of a Stream share the weights, so they cost only their memory of
/// earlier steps. One thread may use each. `step` allocates nothing, locks nothing and makes no system call, and throws
/// only for sizes that do not fit. A user's own op may do otherwise. Denormal numbers count as zero.
class Stream {
 public:
  /// Throws StateError unless the model is built. Throws ValueError, naming layer and op, for what cannot be computed
  /// step by step: what needs all steps (a Flatten over time, a mean over time), looks ahead (Padding::same,
  /// go_backwards, attention without a causal mask), has weights for each step, or mixes samples; and for options below
  /// their minimum, and as trace(model).
  explicit Stream(const Sequential& model, const StreamOptions& options = {});
  Stream(const Stream& other);
  Stream& operator=(const Stream& other);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  /// Elements of one step of the input and the output. Several inputs (Inputs) are packed, those of each step together.
  Index input_size() const;
  Index output_size() const;

  /// Computes n steps. x: (n, input_size). y: (n, output_size), which may be x if both sizes are equal.
  /// Throws ShapeError, changing nothing, if a size is not the same multiple.
  /// (Every function throws StateError once the Stream has been moved from.)
  void step(std::span<const Real> x, std::span<Real> y);

  /// Forgets all steps.
  void reset();
  /// What it remembers: a copy of these numbers continues here, or in another Stream of the same model and options.
  std::span<const Real> state() const;
  /// Throws ShapeError for another number of elements, ValueError if an element that counts steps is out of its range.
  void set_state(std::span<const Real> state);

  /// Steps before the first that has a result; they return 0. Only windows without padding delay: a Conv1D with
  /// Padding::valid and three taps, by two steps.
  Index latency() const;
  /// Steps after which results are NaN, if a parameter has a row for each step, such as a learned position.
  std::optional<Index> most_steps() const;

 private:
  const detail::StreamPlan& plan() const;

  struct Memory;
  std::shared_ptr<const detail::StreamPlan> plan_;
  std::unique_ptr<Memory> memory_;
};

/// Registers how a user's own op (Tape::output) is called in a stream, by its name. The op must act on each element by
/// itself, broadcasting its operands. Thread-safe. Throws ValueError for a name that is registered.
///
///     register_stream_op("soft_sign", [](const Trace::Op&, std::span<const Var> x, const Shape&) {
///       return soft_sign(x[0]);
///     });
void register_stream_op(std::string op, OpCall call);

}  // namespace cornu
