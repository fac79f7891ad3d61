#pragma once

#include <memory>
#include <vector>

#include "cornu/core/autodiff/tape.h"
#include "cornu/models/streaming/ring.h"
#include "cornu/models/streaming/stream.h"
#include "cornu/models/streaming/stream_trace.h"

namespace cornu::detail {

/// Memory of one block of steps.
struct StreamFrame {
  const Real* input = nullptr;  ///< the rows of the block
  Real* memory = nullptr;       ///< values on their way
  Real* state = nullptr;        ///< of earlier steps
  Index* rows = nullptr;        ///< in this block, of each rate
  Tape* tape = nullptr;         ///< for ops that are called as in a forward pass
};

/// A value: rows of `width` elements, in the input, in memory, in a ring, or a constant row.
struct StreamValue {
  enum class Home { none, input, memory, ring, constant } home = Home::none;
  Index offset = 0;           // in the memory, or of a ring in the state
  Index place = 0;            // in the state: the ring's row for the next step
  const Real* row = nullptr;  // a constant's
  Index width = 0;
  Index rate = 0;         // 0: a row for each step of the input
  std::size_t owner = 0;  // the value of the trace whose memory it is

  const Real* in(const StreamFrame& frame) const {
    return home == Home::input ? frame.input : home == Home::constant ? row : out(frame);
  }
  Real* out(const StreamFrame& frame) const {
    if (home == Home::memory) return frame.memory + offset;
    return frame.state + offset + static_cast<Index>(frame.state[place]) * width;
  }
  bool is_constant() const { return home == Home::constant; }
};

/// One op of a stream. Shared by all streams of a plan.
class StreamOp {
 public:
  StreamOp() = default;
  StreamOp(const StreamOp&) = delete;
  StreamOp& operator=(const StreamOp&) = delete;
  virtual ~StreamOp() = default;
  /// Computes the rows of its result.
  virtual void run(const StreamFrame& frame) const = 0;
  /// Takes the memory that the largest block needs.
  virtual void warm_up(const StreamFrame&) const {}
};

/// The ops of a stream in order, with weights of its own, and the memory that they need.
class StreamPlan {
 public:
  StreamPlan(const Sequential& model, const StreamOptions& options);

  void run(const StreamFrame& frame, Index rows) const {
    frame.rows[0] = rows;
    for (const std::unique_ptr<StreamOp>& op : ops_) op->run(frame);
    for (const Ring& each : rings_) each.ring.advance(frame.rows[each.rate], frame.state);
  }
  void warm_up(const StreamFrame& frame) const;
  /// Throws ShapeError for another number of elements, ValueError for a counter out of its range.
  void check_state(std::span<const Real> state) const;
  /// Writes the result of each step of a block: the last row of the output that has come.
  void write(const StreamFrame& frame, Index rows, Real* y) const;

  Index input_size = 0;
  StreamValue output{};
  Index latency = 0, stride = 1;
  std::optional<Index> most_steps{};
  Index block_size = 0;
  Index memory_size = 0, rate_count = 1;
  std::vector<Real> initial_state{};
  bool uses_tape = false;

 private:
  friend class StreamBuilder;

  std::vector<std::unique_ptr<StreamOp>> ops_;
  std::vector<std::shared_ptr<const Tensor>> weights_;
  struct Counter {
    Index place, most;
  };
  std::vector<Counter> counters_;  // in the state
  struct Ring {
    StreamRing ring;
    Index rate;
  };
  std::vector<Ring> rings_;
  Index held_ = 0;  // in the state: the last row of the output, and the steps to wait for the next
};

}  // namespace cornu::detail
