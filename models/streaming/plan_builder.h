#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cornu/models/streaming/plan.h"

namespace cornu::detail {

/// The window over time of a convolution or of pooling.
struct StreamWindow {
  Index taps = 1, dilation = 1;
  Real initial = 0;  // elements of the steps before the first

  Index reach() const { return (taps - 1) * dilation + 1; }
};
/// nullopt for other ops.
std::optional<StreamWindow> stream_window(const Trace& trace, const Trace::Op& op);

/// Makes the ops of a plan from those of a trace of one step.
class StreamBuilder {
 public:
  StreamBuilder(StreamPlan& plan, const StreamTrace& trace);
  void build();

  // ---- For the op that is made ----

  const Trace& trace() const { return trace_; }
  const Trace::Op& op() const { return *op_; }
  std::size_t operand_count() const { return op_->operands.size(); }
  /// Shapes of one row: the first axis is 1.
  Shape shape(std::size_t operand) const { return trace_.operand(*op_, operand).at(1); }
  Shape result_shape() const { return trace_.result(*op_).at(1); }
  bool is_known(std::size_t operand) const { return trace_.operand(*op_, operand).is_known(); }
  ConstView numbers(std::size_t operand) const { return trace_.operand(*op_, operand).data; }
  /// An operand; one that is known is a constant row, which is kept.
  StreamValue operand(std::size_t i);
  Index block_size() const { return plan_.block_size; }
  /// The ring that a value is in; nullptr if it is elsewhere, or if the ring does not suit the window.
  const StreamRing* ring_of(const StreamValue& value, const StreamWindow& window) const;
  /// A ring with rows of `initial`.
  StreamRing ring(StreamRing shape, Real initial, Index rate);

  /// Memory of the result. rate: how its rows come.
  StreamValue result(Index rate);
  /// The same, in the memory of operand i if that is not read again and has the size of the result, unless a window
  /// over time reads the result.
  StreamValue result_in(std::size_t i);
  /// The result is operand i in another shape.
  void result_is(std::size_t i);
  /// Memory during one op.
  Index scratch(Index size);
  /// Memory that lasts from block to block, and its first contents. Returns its place.
  Index state(std::span<const Real> initial);
  Index state(Index size) { return state(std::vector<Real>(static_cast<std::size_t>(size))); }
  /// An element of the state is a whole number from 0 to `most`.
  void count(Index place, Index most);
  Index new_rate() { return plan_.rate_count++; }
  /// Copies numbers into the plan.
  const Real* keep(Tensor numbers);
  const Real* keep(ConstView numbers) { return keep(Tensor(numbers)); }
  void add(std::unique_ptr<StreamOp> made) { plan_.ops_.push_back(std::move(made)); }
  void use_tape() { plan_.uses_tape = true; }

 private:
  struct Free {
    Index begin, end;
  };

  void make(std::size_t at);
  void split_inputs();
  StreamValue allocate(Index width, Index rate, std::size_t owner);
  Index take(Index size);
  void give_back(Index begin, Index size);
  /// Finds the windows over time that read each value.
  void find_windows(const std::vector<std::size_t>& owner);
  /// Gives back the memory of operands that no later op reads.
  void release();

  StreamPlan& plan_;
  const Trace& trace_;
  const Trace::Op* op_ = nullptr;
  std::size_t now_ = 0;
  std::vector<StreamValue> values_;                   // of the trace
  std::vector<std::size_t> last_use_;                 // of the memory of each value
  std::vector<std::optional<StreamWindow>> windows_;  // over the memory of each value, which is then a ring
  std::vector<Free> free_, scratches_;
};

/// Makes the op that computes one op of a trace.
using StreamRow = void (*)(StreamBuilder& to);
/// The row of an op that has one of its own; nullptr for others, which are called on a tape.
StreamRow find_stream_row(std::string_view op);

using StreamRows = std::span<const std::pair<std::string_view, StreamRow>>;
StreamRows stream_product_rows();
StreamRows stream_sequence_rows();
StreamRows stream_window_rows();
StreamRows stream_element_rows();
void make_tape_op(StreamBuilder& to);

}  // namespace cornu::detail
