#include <algorithm>
#include <array>
#include <cstring>

#include "cornu/core/error.h"
#include "cornu/core/ops/loops.h"
#include "cornu/models/streaming/plan_builder.h"

/// Ops of a stream that act on each step by itself, and rows of parameters.
namespace cornu::detail {

namespace {

// ---- Functions of one value and of two ----

class Pointwise final : public StreamOp {
 public:
  Pointwise(PointwiseLoop loop, const StreamValue& x, const StreamValue& y) : loop_(loop), x_(x), y_(y) {}
  void run(const StreamFrame& frame) const override {
    loop_(x_.in(frame), frame.rows[x_.rate] * x_.width, y_.out(frame));
  }

 private:
  PointwiseLoop loop_;
  StreamValue x_, y_;
};

class Pairs final : public StreamOp {
 public:
  Pairs(BinaryLoop loop, const StreamValue& a, const StreamValue& b, const StreamValue& y)
      : loop_(loop), a_(a), b_(b), y_(y) {}
  void run(const StreamFrame& frame) const override {
    loop_(a_.in(frame), a_.is_constant(), b_.in(frame), b_.is_constant(), frame.rows[y_.rate], y_.width, y_.out(frame));
  }

 private:
  BinaryLoop loop_;
  StreamValue a_, b_, y_;
};

/// A known operand, broadcast to the shape of one row of the result.
Tensor broadcast_row(ConstView x, const Shape& result) {
  Tensor row(result);
  for (Index i = 0; i < row.size(); ++i) {
    Index rest = i, at = 0, step = 1;
    for (Index axis = 1; axis <= result.rank(); ++axis) {
      const Index position = rest % result[-axis];
      rest /= result[-axis];
      if (axis > x.shape().rank()) continue;
      at += (x.shape()[-axis] == 1 ? 0 : position) * step;
      step *= x.shape()[-axis];
    }
    row[i] = x[at];
  }
  return row;
}

/// True for a loop over rows: an operand that is computed has the size of the result, one that is known is a row.
bool add_pairs(StreamBuilder& to) {
  const BinaryLoop loop = binary_loop(to.op().name);
  if (loop == nullptr) return false;
  const Shape result = to.result_shape();
  std::array<StreamValue, 2> operands;
  std::size_t computed = 2;
  for (std::size_t i = 0; i < 2; ++i) {
    if (!to.is_known(i) && to.shape(i).size() != result.size()) return false;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (to.is_known(i)) {
      operands[i] = {.home = StreamValue::Home::constant, .row = to.keep(broadcast_row(to.numbers(i), result))};
    } else {
      operands[i] = to.operand(i);
      computed = i;
    }
  }
  require<ValueError>(computed < 2, "the op {} reads no input", to.op().name);
  const StreamValue y = to.result_in(computed);
  to.add(std::make_unique<Pairs>(loop, operands[0], operands[1], y));
  return true;
}

// ---- Ops that are called as in a forward pass ----

class TapeOp final : public StreamOp {
 public:
  TapeOp(StreamBuilder& to, const OpCall& call, Index rate)
      : op_{to.op().name, to.op().attributes, {}, 0, to.op().layer, {}}, call_(call), y_(to.result(rate)) {
    y_shape_ = to.result_shape();
    for (std::size_t i = 0; i < to.operand_count(); ++i) {
      operands_.push_back(to.operand(i));
      shapes_.push_back(to.is_known(i) ? to.numbers(i).shape() : to.shape(i));
    }
  }
  void warm_up(const StreamFrame& frame) const override { run(frame); }
  void run(const StreamFrame& frame) const override {
    const Index rows = frame.rows[y_.rate];
    if (rows == 0) return;
    Tape& tape = *frame.tape;
    tape.clear();
    auto* const values = static_cast<Var*>(tape.allocate(operands_.size() * sizeof(Var)));
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const Shape shape = operands_[i].is_constant() ? shapes_[i] : shapes_[i].with(0, rows);
      new (values + i) Var(tape.input(ConstView(operands_[i].in(frame), shape)));
    }
    const Shape shape = y_shape_.with(0, rows);
    const Var result = call_(op_, {values, operands_.size()}, shape);
    require(result.shape() == shape, "Stream: the op {} returns {}; {} is required", op_.name, result.shape(), shape);
    std::copy_n(result.value().data(), rows * y_.width, y_.out(frame));
  }

 private:
  Trace::Op op_;
  OpCall call_;
  StreamValue y_;
  std::vector<StreamValue> operands_;
  std::vector<Shape> shapes_;  // of one row
  Shape y_shape_;
};

// ---- Ops that move elements ----

/// Copies parts of rows: for each row, `outer` parts of `width` elements.
struct Part {
  StreamValue from;
  Index from_first = 0, from_step = 0, to_first = 0, width = 0;
};

class CopyParts final : public StreamOp {
 public:
  CopyParts(std::vector<Part> parts, Index outer, Index to_step, const StreamValue& y)
      : parts_(std::move(parts)), outer_(outer), to_step_(to_step), y_(y) {}
  void run(const StreamFrame& frame) const override {
    const Index rows = frame.rows[y_.rate];
    for (const Part& part : parts_) {
      const Index row_step = part.from.is_constant() ? 0 : part.from.width;
      for (Index row = 0; row < rows; ++row) {
        const Real* from = part.from.in(frame) + row * row_step + part.from_first;
        Real* out = y_.out(frame) + row * y_.width + part.to_first;
        for (Index o = 0; o < outer_; ++o, from += part.from_step, out += to_step_) std::copy_n(from, part.width, out);
      }
    }
  }

 private:
  std::vector<Part> parts_;
  Index outer_, to_step_;
  StreamValue y_;
};

void add_concatenate(StreamBuilder& to) {
  const Index axis = to.op().integer("axis");
  const Shape y = to.result_shape();
  std::vector<Part> parts;
  Index first = 0, rate = 0;
  for (std::size_t i = 0; i < to.operand_count(); ++i) {
    const Index width = to.shape(i).sub(axis).size();
    parts.push_back({to.operand(i), 0, width, first, width});
    if (!to.is_known(i)) rate = parts.back().from.rate;
    first += width;
  }
  to.add(std::make_unique<CopyParts>(std::move(parts), y.sub(0, axis).size(), first, to.result(rate)));
}

void add_slice(StreamBuilder& to) {
  const Index axis = to.op().integer("axis");
  const Shape x = to.shape(0), y = to.result_shape();
  if (x.size() == y.size()) return to.result_is(0);
  const StreamValue from = to.operand(0);
  const Index width = y.sub(axis).size();
  to.add(std::make_unique<CopyParts>(
      std::vector<Part>{{from, to.op().integer("begin") * x.sub(axis + 1).size(), x.sub(axis).size(), 0, width}},
      y.sub(0, axis).size(), width, to.result(from.rate)));
}

/// Rows of a table, at indices in x. An index out of range gets the nearest row.
class LookUp final : public StreamOp {
 public:
  LookUp(const Real* table, Index rows, Index width, const StreamValue& x, const StreamValue& y)
      : table_(table), rows_(rows), width_(width), x_(x), y_(y) {}
  void run(const StreamFrame& frame) const override {
    const Real* const x = x_.in(frame);
    const auto last = static_cast<Real>(rows_ - 1);
    for (Index i = 0; i < frame.rows[x_.rate] * x_.width; ++i) {
      const Index row = !(x[i] > 0) ? 0 : x[i] < last ? static_cast<Index>(x[i]) : rows_ - 1;
      std::copy_n(table_ + row * width_, width_, y_.out(frame) + i * width_);
    }
  }

 private:
  const Real* table_;
  Index rows_, width_;
  StreamValue x_, y_;
};

void add_look_up(StreamBuilder& to) {
  require<ValueError>(to.is_known(0), "the op take looks up in a table that depends on the input");
  const StreamValue x = to.operand(1);
  const Shape table = to.shape(0);
  to.add(std::make_unique<LookUp>(to.keep(to.numbers(0)), table[0], table.sub(1).size(), x, to.result(x.rate)));
}

/// A row of a parameter for each step; NaN after the last. State: the number of steps.
class Rows final : public StreamOp {
 public:
  Rows(StreamBuilder& to, Index axis) : y_(to.result(0)), state_(to.state(1)) {
    const ConstView x = to.numbers(0);
    rows_ = x.shape()[axis];
    to.count(state_, rows_);
    // Row by row.
    const Index inner = x.shape().sub(axis + 1).size(), outer = x.shape().sub(0, axis).size();
    Tensor numbers(Shape{rows_, outer * inner});
    for (Index row = 0; row < rows_; ++row) {
      for (Index o = 0; o < outer; ++o) {
        std::copy_n(x.data() + (o * rows_ + row) * inner, inner, numbers.data() + (row * outer + o) * inner);
      }
    }
    x_ = to.keep(std::move(numbers));
  }
  void run(const StreamFrame& frame) const override {
    auto step = static_cast<Index>(frame.state[state_]);
    Real* out = y_.out(frame);
    for (Index row = 0; row < frame.rows[0]; ++row, out += y_.width) {
      if (step < rows_) {
        std::copy_n(x_ + step * y_.width, y_.width, out);
        ++step;
      } else {
        std::fill_n(out, y_.width, std::numeric_limits<Real>::quiet_NaN());
      }
    }
    frame.state[state_] = static_cast<Real>(step);
  }

 private:
  StreamValue y_;
  Index state_, rows_ = 0;
  const Real* x_ = nullptr;
};

constexpr std::array<std::pair<std::string_view, StreamRow>, 5> element_rows{{
    {"concatenate", add_concatenate},
    {"slice_axis", add_slice},
    {"take", add_look_up},
    {"reshape", [](StreamBuilder& to) { to.result_is(0); }},
    {"stream_rows", [](StreamBuilder& to) { to.add(std::make_unique<Rows>(to, to.op().integer("axis"))); }},
}};

}  // namespace

StreamRows stream_element_rows() { return element_rows; }

void make_tape_op(StreamBuilder& to) {
  const PointwiseLoop loop =
      to.op().attributes.empty() && to.operand_count() == 1 ? pointwise_loop(to.op().name) : nullptr;
  if (loop != nullptr) {
    const StreamValue x = to.operand(0);
    return to.add(std::make_unique<Pointwise>(loop, x, to.result_in(0)));
  }
  if (add_pairs(to)) return;
  const OpCall* const call = find_op_call(to.op().name);
  require<ValueError>(call != nullptr, "the op {} cannot stream; register_stream_op says how", to.op().name);
  Index rate = -1;
  for (std::size_t i = 0; i < to.operand_count(); ++i) {
    if (!to.is_known(i)) rate = to.operand(i).rate;
  }
  require<ValueError>(rate >= 0, "the op {} reads no input", to.op().name);
  to.use_tape();
  to.add(std::make_unique<TapeOp>(to, *call, rate));
}

}  // namespace cornu::detail
