#pragma once

#include <string_view>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/models/streaming/stream_trace.h"

/// Rewriting the trace of a sequence into one of a step. Internal to stream_trace.cpp and memory_rules.cpp.
namespace cornu::detail {

/// How a value lies in time: a row for each step along `axis`, or one result of all steps so far.
struct Timing {
  enum class Kind { none, steps, last } kind = Kind::none;
  Index axis = 0;
  Index latency = 0, stride = 1;  // of its rows, in steps of the input

  bool is_steps() const { return kind == Kind::steps; }
  bool same_rows(const Timing& other) const {
    return kind == other.kind && latency == other.latency && stride == other.stride;
  }
};

/// Steps that an op may remember: a stream counts them in floats.
constexpr Index most_remembered = Index{1} << 23;

/// One op of the trace while it is rewritten. Shapes are those for a batch of one sequence, with all its steps.
class Rewriter {
 public:
  /// any_length: the model takes sequences of any length, and was traced with one.
  Rewriter(StreamTrace& result, Index window, bool any_length)
      : result_(result), trace_(result.trace), window_(window), any_length_(any_length) {
    timings_.resize(trace_.values.size());
  }

  void start();
  /// Rewrites op number `at`.
  void rewrite(std::size_t at);
  void finish();

 private:
  using Rule = Timing (Rewriter::*)();

  Shape shape(std::size_t operand) const { return trace_.operand(op_, operand).at(1); }
  Shape result_shape() const { return trace_.result(op_).at(1); }
  const Timing& timing(std::size_t operand) const { return timings_[op_.operands[operand]]; }
  bool is_known(std::size_t operand) const { return trace_.operand(op_, operand).is_known(); }
  Timing moved(Index axis) const {
    Timing result = timing(0);
    result.axis = axis;
    return result;
  }

  template <class... Args>
  void require_here(bool condition, std::string_view text, const Args&... arguments) const {
    require<ValueError>(condition, "the op {} {}", op_.name, message(text, arguments...));
  }

  /// Operands from `first` on, but for the last `others`.
  void require_known(std::size_t first, std::size_t others = 0) const;
  /// Makes the axis of time one element long.
  void shorten(std::size_t at);
  Timing timing_of_result();

  // ---- Ops that act on each step by itself (stream_trace.cpp) ----

  Timing broadcast();
  /// Replaces a known operand with a row for each step by the row of the step.
  void take_rows(std::size_t operand, Index axis, const Timing& timing);
  Timing product();
  Timing reduction();
  Timing along_axis();
  Timing cumulative();
  Timing along_last();
  Timing reshape();
  Timing transpose();
  Timing concatenate();
  Timing slice();
  Timing take();
  /// Elements at indices along an axis.
  Timing picking();
  Timing one_hot();

  // ---- Ops that remember (memory_rules.cpp) ----

  /// The windows along time: taps, stride, dilation and padding before the first step.
  Timing windowed(Index taps_of_time, bool is_pointwise_elsewhere, Index dilation, std::size_t axis);
  Timing convolution();
  Timing transposed_convolution();
  Timing pooling();
  /// An op on sequences in a TimeDistributed would run over an axis of each step.
  void require_over_steps() const;
  Timing recurrence();
  Timing attention();

  StreamTrace& result_;
  Trace& trace_;
  Index window_;
  bool any_length_;
  Index steps_ = 0;
  std::vector<Timing> timings_;  // of the values
  Trace::Op op_;
  std::vector<Trace::Op> rewritten_;
};

}  // namespace cornu::detail
