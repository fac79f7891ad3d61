#include "cornu/models/streaming/plan.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels/sequence_steps.h"
#include "cornu/core/text/printable.h"
#include "cornu/models/streaming/plan_builder.h"

namespace cornu::detail {

namespace {

/// True for a composed op that streams as one.
bool streams_as_one(const Trace::Op& op) { return find_stream_row("stream_" + op.name) != nullptr; }

/// True for an op whose result is its operand, in another shape.
bool is_alias(const Trace& trace, const Trace::Op& op) {
  return op.name == "reshape" ||
         (op.name == "slice_axis" && trace.result(op).at(1).size() == trace.operand(op, 0).at(1).size());
}

}  // namespace

StreamRow find_stream_row(std::string_view op) {
  for (const StreamRows rows :
       {stream_product_rows(), stream_sequence_rows(), stream_window_rows(), stream_element_rows()}) {
    for (const auto& [name, row] : rows) {
      if (name == op) return row;
    }
  }
  return nullptr;
}

StreamPlan::StreamPlan(const Sequential& model, const StreamOptions& options) : block_size(options.block_size) {
  const StreamTrace trace = stream_trace(model, streams_as_one, options.attention_window);
  latency = trace.latency;
  stride = trace.stride;
  most_steps = trace.most_steps;
  StreamBuilder(*this, trace).build();
  if (latency == 0 && stride == 1) return;
  held_ = static_cast<Index>(initial_state.size());
  initial_state.resize(initial_state.size() + static_cast<std::size_t>(output.width));
  initial_state.push_back(static_cast<Real>(latency));
  counters_.push_back({held_ + output.width, std::max(latency, stride)});
}

void StreamPlan::check_state(std::span<const Real> state) const {
  require(state.size() == initial_state.size(), "Stream: a state of {} numbers; {} are required", state.size(),
          initial_state.size());
  for (const Counter& each : counters_) {
    const Real number = state[static_cast<std::size_t>(each.place)];
    require<ValueError>(number >= 0 && number <= static_cast<Real>(each.most) && number == std::floor(number),
                        "Stream: element {} of a state is {}; it counts, from 0 to {}", each.place, number, each.most);
  }
}

void StreamPlan::warm_up(const StreamFrame& frame) const {
  std::fill_n(frame.rows, rate_count, block_size);
  for (const std::unique_ptr<StreamOp>& op : ops_) op->warm_up(frame);
}

void StreamPlan::write(const StreamFrame& frame, Index rows, Real* y) const {
  const Real* row = output.in(frame);
  const Index width = output.width;
  if (latency == 0 && stride == 1) {
    std::copy_n(row, rows * width, y);
    return;
  }
  Real *const held = frame.state + held_, &wait = held[width];
  for (Index step = 0; step < rows; ++step, y += width) {
    if (wait == 0) {
      std::copy_n(row, width, held);
      row += width;
      wait = static_cast<Real>(stride);
    }
    std::copy_n(held, width, y);
    --wait;
  }
}

// ---- The builder ----

StreamBuilder::StreamBuilder(StreamPlan& plan, const StreamTrace& trace)
    : plan_(plan),
      trace_(trace.trace),
      values_(trace_.values.size()),
      last_use_(trace_.values.size()),
      windows_(trace_.values.size()) {}

void StreamBuilder::build() {
  // An alias is read as long as the value whose memory it has.
  std::vector<std::size_t> owner(values_.size());
  for (std::size_t at = 0; at < owner.size(); ++at) owner[at] = at;
  for (std::size_t i = 0; i < trace_.ops.size(); ++i) {
    const Trace::Op& op = trace_.ops[i];
    if (is_alias(trace_, op)) owner[op.result] = owner[op.operands[0]];
    for (const std::size_t operand : op.operands) last_use_[owner[operand]] = i;
    last_use_[owner[op.result]] = std::max(last_use_[owner[op.result]], i);
  }
  last_use_[owner[trace_.outputs.front()]] = trace_.ops.size();
  find_windows(owner);
  split_inputs();
  for (now_ = 0; now_ < trace_.ops.size(); ++now_) make(now_);
  plan_.output = values_[trace_.outputs.front()];
}

void StreamBuilder::make(std::size_t at) {
  op_ = &trace_.ops[at];
  try {
    const StreamRow row = find_stream_row(op_->name);
    row != nullptr ? row(*this) : make_tape_op(*this);
  } catch (Error& error) {
    if (!op_->layer.empty()) error.add_context(printable(op_->layer));
    throw;
  }
  for (const Free& scratch : scratches_) give_back(scratch.begin, scratch.end - scratch.begin);
  scratches_.clear();
  release();
}

StreamValue StreamBuilder::operand(std::size_t i) {
  if (!is_known(i)) return values_[op_->operands[i]];
  StreamValue value{.home = StreamValue::Home::constant, .row = keep(numbers(i))};
  value.width = numbers(i).size();
  return value;
}

// ---- Memory ----

Index StreamBuilder::take(Index size) {
  size = padded_columns(size);
  for (Free& each : free_) {
    if (each.end - each.begin < size) continue;
    each.begin += size;
    return each.begin - size;
  }
  plan_.memory_size += size;
  return plan_.memory_size - size;
}

void StreamBuilder::give_back(Index begin, Index size) {
  Free whole{begin, begin + padded_columns(size)};
  std::erase_if(free_, [&](const Free& each) {
    if (each.begin != each.end && each.end != whole.begin && each.begin != whole.end) return false;
    if (each.begin != each.end) whole = {std::min(whole.begin, each.begin), std::max(whole.end, each.end)};
    return true;
  });
  free_.push_back(whole);
}

StreamValue StreamBuilder::allocate(Index width, Index rate, std::size_t owner) {
  StreamValue value{.home = StreamValue::Home::memory};
  value.width = width;
  value.rate = rate;
  value.owner = owner;
  if (const std::optional<StreamWindow>& window = windows_[owner]; window.has_value()) {
    const StreamRing made =
        ring(StreamRing::for_windows(window->reach(), width, plan_.block_size), window->initial, rate);
    value.home = StreamValue::Home::ring;
    value.offset = made.begin;
    value.place = made.place_at();
  } else {
    value.offset = take(width * plan_.block_size + stream_slack);
  }
  return value;
}

StreamValue StreamBuilder::result(Index rate) {
  return values_[op_->result] = allocate(result_shape().size(), rate, op_->result);
}

StreamValue StreamBuilder::result_in(std::size_t i) {
  const StreamValue x = operand(i);
  if (x.home != StreamValue::Home::memory || last_use_[x.owner] != now_ || x.width != result_shape().size() ||
      windows_[op_->result].has_value()) {
    return result(x.rate);
  }
  last_use_[x.owner] = std::max(last_use_[op_->result], now_);
  return values_[op_->result] = x;
}

void StreamBuilder::result_is(std::size_t i) { values_[op_->result] = operand(i); }

Index StreamBuilder::scratch(Index size) {
  const Index begin = take(size);
  scratches_.push_back({begin, begin + size});
  return begin;
}

void StreamBuilder::release() {
  std::vector<std::size_t> done;
  const auto give_back_value = [&](const StreamValue& value) {
    if (value.home != StreamValue::Home::memory || last_use_[value.owner] != now_) return;
    if (std::find(done.begin(), done.end(), value.owner) != done.end()) return;
    done.push_back(value.owner);
    give_back(values_[value.owner].offset, values_[value.owner].width * plan_.block_size + stream_slack);
  };
  for (const std::size_t operand : op_->operands) give_back_value(values_[operand]);
  give_back_value(values_[op_->result]);
}

void StreamBuilder::find_windows(const std::vector<std::size_t>& owner) {
  for (const Trace::Op& op : trace_.ops) {
    const std::optional<StreamWindow> window = stream_window(trace_, op);
    if (!window.has_value() || window->reach() == 1) continue;
    const std::size_t x = owner[op.operands[0]];
    if (x == owner[trace_.outputs.front()]) continue;  // read after the block has ended
    std::optional<StreamWindow>& longest = windows_[x];
    if (!longest.has_value() || (longest->reach() < window->reach() && longest->initial == window->initial)) {
      longest = window;
    }
  }
}

const StreamRing* StreamBuilder::ring_of(const StreamValue& value, const StreamWindow& window) const {
  if (value.home != StreamValue::Home::ring || windows_[value.owner]->reach() < window.reach() ||
      windows_[value.owner]->initial != window.initial) {
    return nullptr;
  }
  const auto found = std::find_if(plan_.rings_.begin(), plan_.rings_.end(),
                                  [&](const auto& each) { return each.ring.begin == value.offset; });
  return &found->ring;
}

StreamRing StreamBuilder::ring(StreamRing shape, Real initial, Index rate) {
  std::vector<Real> memory(static_cast<std::size_t>(shape.size()), initial);
  memory.back() = 0;
  shape.begin = state(memory);
  count(shape.place_at(), shape.length - 1);
  plan_.rings_.push_back({shape, rate});
  return shape;
}

void StreamBuilder::count(Index place, Index most) { plan_.counters_.push_back({place, most}); }

Index StreamBuilder::state(std::span<const Real> initial) {
  const std::size_t begin = plan_.initial_state.size();
  plan_.initial_state.insert(plan_.initial_state.end(), initial.begin(), initial.end());
  return static_cast<Index>(begin);
}

const Real* StreamBuilder::keep(Tensor numbers) {
  plan_.weights_.push_back(std::make_shared<const Tensor>(std::move(numbers)));
  return plan_.weights_.back()->data();
}

// ---- The inputs ----

namespace {

/// Columns of the rows of the input.
class InputColumns final : public StreamOp {
 public:
  InputColumns(Index first, Index all, const StreamValue& y) : first_(first), all_(all), y_(y) {}
  void run(const StreamFrame& frame) const override {
    for (Index row = 0; row < frame.rows[0]; ++row) {
      std::copy_n(frame.input + row * all_ + first_, y_.width, y_.out(frame) + row * y_.width);
    }
  }

 private:
  Index first_, all_;
  StreamValue y_;
};

}  // namespace

void StreamBuilder::split_inputs() {
  for (const std::size_t input : trace_.inputs) plan_.input_size += trace_.values[input].at(1).size();
  if (trace_.inputs.size() == 1) {
    const std::size_t input = trace_.inputs.front();
    values_[input] = {.home = StreamValue::Home::input};
    values_[input].width = plan_.input_size;
    values_[input].owner = input;
    return;
  }
  Index first = 0;
  for (const std::size_t input : trace_.inputs) {
    values_[input] = allocate(trace_.values[input].at(1).size(), 0, input);
    add(std::make_unique<InputColumns>(first, plan_.input_size, values_[input]));
    first += values_[input].width;
  }
}

}  // namespace cornu::detail
