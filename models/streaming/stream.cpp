#include "cornu/models/streaming/stream.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels/denormals.h"
#include "cornu/core/option_checks.h"
#include "cornu/models/require_values.h"
#include "cornu/models/sequential.h"
#include "cornu/models/streaming/plan_builder.h"

namespace cornu {

namespace {

constexpr Index most_block_size = Index{1} << 20;

}  // namespace

void register_stream_op(std::string op, OpCall call) {
  require<ValueError>(detail::find_stream_row(op) == nullptr && detail::find_stream_row("stream_" + op) == nullptr,
                      "register_stream_op: \"{}\" is an op of Cornu", op);
  detail::add_op_call(std::move(op), std::move(call));
}

/// The memory of one stream.
struct Stream::Memory {
  std::vector<Real> state, values;
  std::vector<Index> rows;
  std::unique_ptr<Tape> tape;

  explicit Memory(const detail::StreamPlan& plan)
      : state(plan.initial_state),
        values(static_cast<std::size_t>(plan.memory_size)),
        rows(static_cast<std::size_t>(plan.rate_count)) {
    if (!plan.uses_tape) return;
    tape = std::make_unique<Tape>(Mode::inference);
    // Passes over the largest block, after which the tape needs no more memory.
    const std::vector<Real> zeros(static_cast<std::size_t>(plan.block_size * plan.input_size));
    for (int i = 0; i < 2; ++i) plan.warm_up(frame(zeros.data()));
    state = plan.initial_state;  // results may be written to it
  }
  detail::StreamFrame frame(const Real* input) {
    return {.input = input, .memory = values.data(), .state = state.data(), .rows = rows.data(), .tape = tape.get()};
  }
};

Stream::Stream(const Sequential& model, const StreamOptions& options) {
  require<StateError>(model.built(), "{}: Stream: not built yet, so there are no weights", model.name());
  try {
    detail::require_not_negative("StreamOptions", "attention_window", options.attention_window);
    require<ValueError>(options.block_size >= 1 && options.block_size <= most_block_size,
                        "StreamOptions: block_size is {}; 1 to {} is required", options.block_size, most_block_size);
    detail::require_values(model);
    plan_ = std::make_shared<const detail::StreamPlan>(model, options);
  } catch (Error& error) {
    error.add_context("Stream");
    throw;
  }
  memory_ = std::make_unique<Memory>(*plan_);
}

Stream::Stream(const Stream& other) : plan_(other.plan_), memory_(std::make_unique<Memory>(other.plan())) {
  set_state(other.state());
}
Stream& Stream::operator=(const Stream& other) {
  if (this != &other) *this = Stream(other);
  return *this;
}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

const detail::StreamPlan& Stream::plan() const {
  require<StateError>(plan_ != nullptr, "Stream: moved from");
  return *plan_;
}

Index Stream::input_size() const { return plan().input_size; }
Index Stream::output_size() const { return plan().output.width; }
Index Stream::latency() const { return plan().latency; }
std::optional<Index> Stream::most_steps() const { return plan().most_steps; }

void Stream::reset() { set_state(plan().initial_state); }

std::span<const Real> Stream::state() const {
  plan();
  return memory_->state;
}

void Stream::set_state(std::span<const Real> state) {
  plan().check_state(state);
  std::copy(state.begin(), state.end(), memory_->state.begin());
}

void Stream::step(std::span<const Real> x, std::span<Real> y) {
  const detail::StreamPlan& plan = this->plan();
  const Index in = plan.input_size, out = plan.output.width, n = std::ssize(x) / in;
  require(std::ssize(x) == n * in && std::ssize(y) == n * out,
          "Stream: {} numbers for x and {} for y; {} and {} for each step are required", x.size(), y.size(), in, out);
  const detail::DenormalsAreZero quick;
  const Real* from = x.data();
  Real* to = y.data();
  for (Index done = 0; done < n;) {
    const Index rows = std::min(plan.block_size, n - done);
    const detail::StreamFrame frame = memory_->frame(from);
    plan.run(frame, rows);
    plan.write(frame, rows, to);
    from += rows * in;
    to += rows * out;
    done += rows;
  }
}

}  // namespace cornu
