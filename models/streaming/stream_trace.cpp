#include "cornu/models/streaming/stream_trace.h"

#include <algorithm>
#include <map>

#include "cornu/core/autodiff/rewrites.h"
#include "cornu/core/ops/op_calls.h"
#include "cornu/core/text/printable.h"
#include "cornu/models/sequential_state.h"
#include "cornu/models/streaming/rewriter.h"
#include "cornu/models/trace.h"

namespace cornu::detail {

void Rewriter::start() {
  require<ValueError>(trace_.outputs.size() == 1, "the model has {} outputs; one is required", trace_.outputs.size());
  for (const std::size_t input : trace_.inputs) {
    const Shape shape = trace_.values[input].at(1);
    require<ValueError>(shape.rank() >= 2 && shape[1] >= 2,
                        "a sample has the shape {}; (steps, features) is required, with two steps or more",
                        shape.sub(1));
    require<ValueError>(steps_ == 0 || shape[1] == steps_, "the inputs have {} and {} steps; they must agree", steps_,
                        shape[1]);
    steps_ = shape[1];
    timings_[input] = {Timing::Kind::steps, 1, 0, 1};
  }
}

void Rewriter::rewrite(std::size_t at) {
  op_ = trace_.ops[at];
  Timing timing = timing_of_result();
  timings_.resize(trace_.values.size());
  timings_[op_.result] = timing;
  rewritten_.push_back(std::move(op_));
}

void Rewriter::finish() {
  for (std::size_t at = 0; at < timings_.size(); ++at) {
    if (timings_[at].is_steps()) shorten(at);
  }
  const Timing& output = timings_[trace_.outputs.front()];
  require<ValueError>(output.kind != Timing::Kind::none, "the output does not depend on the input");
  result_.latency = output.latency;
  result_.stride = output.stride;
  trace_.ops = std::move(rewritten_);
}

void Rewriter::require_known(std::size_t first, std::size_t others) const {
  for (std::size_t i = first; i + others < op_.operands.size(); ++i) {
    require_here(timing(i).kind == Timing::Kind::none, "reads operand {}, which depends on the input", i);
  }
}

void Rewriter::shorten(std::size_t at) {
  Trace::Value& value = trace_.values[at];
  const auto axis = static_cast<std::size_t>(timings_[at].axis);
  value.shape[axis] = axis == 0 ? Trace::Dimension{0, 1} : Trace::Dimension{1, 0};
}

Timing Rewriter::timing_of_result() {
  static const std::map<std::string, Rule, std::less<>> rules{
      {"affine", &Rewriter::product},
      {"matmul", &Rewriter::product},
      {"add", &Rewriter::broadcast},
      {"subtract", &Rewriter::broadcast},
      {"multiply", &Rewriter::broadcast},
      {"divide", &Rewriter::broadcast},
      {"pow", &Rewriter::broadcast},
      {"negate", &Rewriter::broadcast},
      {"exp", &Rewriter::broadcast},
      {"log", &Rewriter::broadcast},
      {"sqrt", &Rewriter::broadcast},
      {"square", &Rewriter::broadcast},
      {"abs", &Rewriter::broadcast},
      {"relu", &Rewriter::broadcast},
      {"sigmoid", &Rewriter::broadcast},
      {"tanh", &Rewriter::broadcast},
      {"leaky_relu", &Rewriter::broadcast},
      {"elu", &Rewriter::broadcast},
      {"gelu", &Rewriter::broadcast},
      {"swish", &Rewriter::broadcast},
      {"softplus", &Rewriter::broadcast},
      {"hard_sigmoid", &Rewriter::broadcast},
      {"hard_silu", &Rewriter::broadcast},
      {"softsign", &Rewriter::broadcast},
      {"mish", &Rewriter::broadcast},
      {"sin", &Rewriter::broadcast},
      {"cos", &Rewriter::broadcast},
      {"erf", &Rewriter::broadcast},
      {"log1p", &Rewriter::broadcast},
      {"expm1", &Rewriter::broadcast},
      {"sign", &Rewriter::broadcast},
      {"floor", &Rewriter::broadcast},
      {"ceil", &Rewriter::broadcast},
      {"round", &Rewriter::broadcast},
      {"clip", &Rewriter::broadcast},
      {"maximum", &Rewriter::broadcast},
      {"minimum", &Rewriter::broadcast},
      {"mod", &Rewriter::broadcast},
      {"equal", &Rewriter::broadcast},
      {"not_equal", &Rewriter::broadcast},
      {"greater", &Rewriter::broadcast},
      {"greater_equal", &Rewriter::broadcast},
      {"less", &Rewriter::broadcast},
      {"less_equal", &Rewriter::broadcast},
      {"logical_and", &Rewriter::broadcast},
      {"logical_or", &Rewriter::broadcast},
      {"logical_xor", &Rewriter::broadcast},
      {"where", &Rewriter::broadcast},
      {"sum", &Rewriter::reduction},
      {"mean", &Rewriter::reduction},
      {"max", &Rewriter::reduction},
      {"min", &Rewriter::reduction},
      {"prod", &Rewriter::reduction},
      {"logsumexp", &Rewriter::reduction},
      {"cumsum", &Rewriter::cumulative},
      {"softmax", &Rewriter::along_axis},
      {"log_softmax", &Rewriter::along_axis},
      {"flip", &Rewriter::along_axis},
      {"batch_normalization", &Rewriter::along_last},
      {"batch_normalization_along", &Rewriter::along_axis},
      {"layer_normalization", &Rewriter::along_last},
      {"reshape", &Rewriter::reshape},
      {"transpose", &Rewriter::transpose},
      {"concatenate", &Rewriter::concatenate},
      {"slice_axis", &Rewriter::slice},
      {"take", &Rewriter::take},
      {"take_axis", &Rewriter::along_axis},
      {"resample", &Rewriter::along_axis},
      {"take_along_axis", &Rewriter::picking},
      {"scatter_add", &Rewriter::picking},
      {"one_hot", &Rewriter::one_hot},
      {"top_k_indices", &Rewriter::along_last},
      {"conv2d_transpose", &Rewriter::transposed_convolution},
      {"conv2d", &Rewriter::convolution},
      {"depthwise_conv2d", &Rewriter::convolution},
      {"max_pool2d", &Rewriter::pooling},
      {"average_pool2d", &Rewriter::pooling},
      {"lstm", &Rewriter::recurrence},
      {"gru", &Rewriter::recurrence},
      {"lstm_by_steps", &Rewriter::recurrence},
      {"gru_by_steps", &Rewriter::recurrence},
      {"simple_rnn", &Rewriter::recurrence},
      {"masked_lstm_by_steps", &Rewriter::recurrence},
      {"masked_gru_by_steps", &Rewriter::recurrence},
      {"masked_simple_rnn", &Rewriter::recurrence},
      {"attend", &Rewriter::attention},
      {"masked_attend", &Rewriter::attention},
  };
  const auto rule = rules.find(op_.name);
  if (rule != rules.end()) return (this->*rule->second)();
  require<ValueError>(!op_.name.empty(),
                      "an op without a name cannot stream; give Tape::output its name, and register it by "
                      "register_stream_op");
  require<ValueError>(find_op_call(op_.name) == nullptr || is_users_op(op_.name), "the op {} cannot stream", op_.name);
  require<ValueError>(is_users_op(op_.name), "the op {} cannot stream; register_stream_op says how", op_.name);
  return broadcast();
}

Timing Rewriter::broadcast() {
  Timing result;
  const Shape shape_of_result = result_shape();
  const auto from_end = [](const Shape& shape, Index axis) { return axis - shape.rank(); };
  for (std::size_t i = 0; i < op_.operands.size(); ++i) {
    const Timing& each = timing(i);
    if (each.kind == Timing::Kind::none) continue;
    const Index axis = each.is_steps() ? shape_of_result.rank() + from_end(shape(i), each.axis) : 0;
    if (result.kind == Timing::Kind::none) {
      result = each;
      result.axis = axis;
    }
    require_here(result.kind == each.kind, "adds what is known after the last step to every step");
    require_here(result.axis == axis, "combines different axes of time");
    require_here(result.same_rows(each), "combines rows that come at different steps");
  }
  if (!result.is_steps()) return result;
  for (std::size_t i = 0; i < op_.operands.size(); ++i) {
    const Index axis = shape(i).rank() - shape_of_result.rank() + result.axis;
    if (timing(i).kind == Timing::Kind::none && axis >= 0 && shape(i)[axis] > 1) take_rows(i, axis, result);
  }
  return result;
}

void Rewriter::take_rows(std::size_t operand, Index axis, const Timing& timing) {
  require_here(is_known(operand), "reads operand {}, which differs from step to step", operand);
  require_here(!any_length_,
               "reads a row of a parameter for each step, of a model that takes any length; build a copy for as many "
               "steps as there are rows");
  require_here(timing.latency == 0 && timing.stride == 1, "reads rows of a parameter at other steps than each");
  const std::size_t rows = op_.operands[operand];
  const Index count = shape(operand)[axis];
  require_here(count <= most_remembered, "reads {} rows of a parameter; {} are the most", count, most_remembered);
  const Shape step = shape(operand).with(axis, 1);
  Trace::Dimensions dimensions = Trace::fixed(step);
  while (static_cast<Index>(dimensions.size()) < result_shape().rank())
    dimensions.insert(dimensions.begin(), Trace::Dimension{1, 0});
  dimensions.front() = {0, 1};
  require_here(step.rank() < result_shape().rank() || step[0] == 1, "reads a parameter of the shape {}",
               shape(operand));
  trace_.values.push_back({.shape = dimensions});
  const std::size_t row = trace_.values.size() - 1;
  rewritten_.push_back({"stream_rows", {{"axis", axis}}, {rows}, row, op_.layer, {}});
  op_.operands[operand] = row;
  result_.most_steps = std::min(result_.most_steps.value_or(count), count);
}

Timing Rewriter::product() {
  const bool is_affine = op_.name == "affine";
  if (is_affine) require_known(1);
  const Shape a = shape(0), b = shape(1), y = result_shape();
  const bool transpose_a = !is_affine && op_.flag("transpose_a"), transpose_b = !is_affine && op_.flag("transpose_b");
  const auto axis_of = [&](std::size_t i, const Shape& x, Index summed, Index kept, Index kept_at) {
    const Timing& each = timing(i);
    if (!each.is_steps()) return Index{0};
    require_here(each.axis != x.rank() + summed, "sums over the steps");
    return each.axis == x.rank() + kept ? y.rank() + kept_at : each.axis - x.rank() + y.rank();
  };
  const Index of_a = axis_of(0, a, transpose_a ? -2 : -1, transpose_a ? -1 : -2, -2),
              of_b = axis_of(1, b, transpose_b ? -1 : -2, transpose_b ? -2 : -1, -1);
  Timing result = timing(0).kind == Timing::Kind::none ? timing(1) : timing(0);
  result.axis = timing(0).kind == Timing::Kind::none ? of_b : of_a;
  if (timing(0).kind != Timing::Kind::none && timing(1).kind != Timing::Kind::none) {
    require_here(timing(0).same_rows(timing(1)) && of_a == of_b, "multiplies one step by others");
  }
  // A known operand must not have a matrix for each step.
  for (std::size_t i = 0; i < 2; ++i) {
    const Index axis = result.axis - y.rank() + shape(i).rank();
    require_here(!result.is_steps() || timing(i).kind != Timing::Kind::none || result.axis >= y.rank() - 2 ||
                     axis < 0 || shape(i)[axis] == 1,
                 "has a matrix for each step");
  }
  return result;
}

Timing Rewriter::reduction() {
  require_here(op_.has("axis"), "reduces all steps to one number");
  const Index axis = op_.integer("axis");
  require_here(!timing(0).is_steps() || timing(0).axis != axis, "needs all steps");
  require_here(axis != 0, "reduces the axis of the batch");
  return moved(timing(0).axis - (!op_.flag("keepdims") && axis < timing(0).axis ? 1 : 0));
}

Timing Rewriter::along_axis() {
  require_known(1);
  require_here(!timing(0).is_steps() || timing(0).axis != op_.integer("axis"), "needs all steps");
  return timing(0);
}

Timing Rewriter::cumulative() {
  require_here(!timing(0).is_steps() || timing(0).axis != op_.integer("axis"), "sums the steps, which cannot stream");
  require_here(op_.integer("axis") != 0, "sums over the axis of the batch");
  return timing(0);
}

Timing Rewriter::along_last() {
  require_known(1);
  const Index axes = op_.name == "layer_normalization" ? op_.integer("axes") : 1;
  require_here(!timing(0).is_steps() || timing(0).axis < shape(0).rank() - axes, "needs all steps");
  return timing(0);
}

Timing Rewriter::reshape() {
  if (!timing(0).is_steps()) return timing(0);
  const Shape x = shape(0), y = result_shape();
  const Index axis = timing(0).axis, before = x.sub(0, axis).size();
  for (Index i = 0; i < y.rank(); ++i) {
    if (y[i] == x[axis] && y.sub(0, i).size() == before) return moved(i);
  }
  require_here(false, "merges the steps with another axis, or divides them: {} to {}", x.sub(1), y.sub(1));
  return {};
}

Timing Rewriter::transpose() {
  const std::vector<Index>& axes = op_.integers("axes");
  require_here(axes[0] == 0, "moves the axis of the batch");
  const auto at = std::find(axes.begin(), axes.end(), timing(0).axis);
  return moved(static_cast<Index>(at - axes.begin()));
}

Timing Rewriter::concatenate() {
  const Timing result = broadcast();
  require_here(!result.is_steps() || result.axis != op_.integer("axis"), "appends to the sequence");
  return result;
}

Timing Rewriter::slice() {
  const Index axis = op_.integer("axis"), begin = op_.integer("begin"), end = op_.integer("end"), n = shape(0)[axis];
  Timing result = timing(0);
  if (!result.is_steps() || result.axis != axis) return result;
  if (begin != 0 || end != n) {
    require_here(begin == n - 1 && end == n, "takes the steps {} to {} of {}; only the last step can be taken", begin,
                 end - 1, n);
    result.kind = Timing::Kind::last;  // the last of all steps so far is the step itself
  }
  for (Trace::Attribute& attribute : op_.attributes) {
    if (attribute.name == "begin") attribute.value = Index{0};
    if (attribute.name == "end") attribute.value = Index{1};
  }
  return result;
}

Timing Rewriter::picking() {
  const Timing result = broadcast();
  require_here(!result.is_steps() || result.axis != op_.integer("axis"), "needs all steps");
  return result;
}

Timing Rewriter::one_hot() { return timing(0); }

Timing Rewriter::take() {
  require_here(timing(0).kind == Timing::Kind::none, "looks up in a table that depends on the input");
  return timing(1);
}

StreamTrace stream_trace(const Sequential& model, const std::function<bool(const Trace::Op&)>& keep, Index window) {
  StreamTrace result{.trace = trace_of_sample(model, keep)};
  fold_constants(result.trace);
  merge_equal_ops(result.trace);
  fuse_bias(result.trace);
  fold_batch_normalization(result.trace);
  remove_unused_ops(result.trace);
  Rewriter rewriter(result, window, SequentialState::of(model).takes_any_length());
  rewriter.start();
  for (std::size_t at = 0; at < result.trace.ops.size(); ++at) {
    try {
      rewriter.rewrite(at);
    } catch (Error& error) {
      if (!result.trace.ops[at].layer.empty()) error.add_context(printable(result.trace.ops[at].layer));
      throw;
    }
  }
  rewriter.finish();
  return result;
}

}  // namespace cornu::detail
