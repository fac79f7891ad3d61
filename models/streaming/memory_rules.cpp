#include "cornu/models/streaming/rewriter.h"

/// How ops that remember earlier steps lie in time.
namespace cornu::detail {

Timing Rewriter::windowed(Index taps_of_time, bool is_pointwise_elsewhere, Index dilation, std::size_t axis) {
  const std::vector<Index>& pads = op_.integers("pads");
  const Index stride = op_.integers("strides")[axis], before = pads[axis], after = pads[axis + 2];
  const Index reach = (taps_of_time - 1) * dilation + 1;
  require_here(after == 0, "looks {} steps ahead; Padding::causal does not", after);
  require_here(is_pointwise_elsewhere, "has windows over the steps of images; those of (steps, features) can stream");
  require_here(reach <= most_remembered, "reaches back {} steps; {} are the most", reach - 1, most_remembered);
  require_here(result_shape()[static_cast<Index>(axis) + 1] > 1,
               "leaves one step of the sequence; a model whose input has more steps leaves several");
  Timing result = timing(0);
  result.latency += (reach - 1 - before) * result.stride;
  result.stride *= stride;
  op_.name = "stream_" + op_.name;
  op_.attributes.push_back({"axis", static_cast<Index>(axis)});
  if (reach - 1 > before || stride > 1) op_.attributes.push_back({"waits", true});
  return result;
}

Timing Rewriter::convolution() {
  require_known(1);
  if (!timing(0).is_steps() || timing(0).axis == 0) return timing(0);
  const Shape x = shape(0), kernel = shape(1);
  require_here(timing(0).axis != 3, "sums over the steps");
  const auto axis = static_cast<std::size_t>(timing(0).axis - 1), other = 1 - axis;
  const Index taps = kernel[timing(0).axis - 1], stride = op_.integers("strides")[axis];
  const bool over_time = x[static_cast<Index>(other) + 1] == 1 && kernel[static_cast<Index>(other)] == 1;
  if (taps == 1 && stride == 1 && !over_time) return timing(0);
  return windowed(taps, over_time, op_.integers("dilations")[axis], axis);
}

Timing Rewriter::transposed_convolution() {
  require_known(1);
  if (!timing(0).is_steps() || timing(0).axis == 0) return timing(0);
  require_here(timing(0).axis != 3, "sums over the steps");
  const auto axis = static_cast<std::size_t>(timing(0).axis - 1);
  require_here(shape(1)[timing(0).axis - 1] == 1 && op_.integers("strides")[axis] == 1 &&
                   shape(0)[timing(0).axis] == result_shape()[timing(0).axis],
               "spreads each step over others");
  return timing(0);
}

Timing Rewriter::pooling() {
  if (!timing(0).is_steps() || timing(0).axis == 0) return timing(0);
  require_here(timing(0).axis != 3, "pools the steps as channels");
  const auto axis = static_cast<std::size_t>(timing(0).axis - 1), other = 1 - axis;
  const std::vector<Index>& size = op_.integers("size");
  if (size[axis] == 1 && op_.integers("strides")[axis] == 1) return timing(0);
  return windowed(size[axis], shape(0)[static_cast<Index>(other) + 1] == 1 && size[other] == 1, 1, axis);
}

void Rewriter::require_over_steps() const {
  require_here(!timing(0).is_steps() || timing(0).axis != 0,
               "runs within each step (TimeDistributed); it can stream only over the steps");
}

Timing Rewriter::recurrence() {
  const bool has_mask = op_.name.starts_with("masked_");
  require_known(1, has_mask ? 1 : 0);
  require_over_steps();
  if (has_mask) {
    const Timing& mask = timing(op_.operands.size() - 1);
    require_here(mask.is_steps() && mask.axis == 1 && mask.same_rows(timing(0)), "has a mask of other steps");
  }
  require_here(timing(0).is_steps() && timing(0).axis == 1, "runs over another axis than the steps");
  require_here(!op_.flag("go_backwards"), "begins with the last step");
  Timing result = timing(0);
  if (!op_.flag("return_sequences")) result.kind = Timing::Kind::last;
  op_.name = "stream_" + op_.name;
  return result;
}

Timing Rewriter::attention() {
  require_over_steps();
  require_here(op_.flag("use_causal_mask"), "attends to later steps; use_causal_mask does not");
  for (std::size_t i = 0; i < op_.operands.size(); ++i) {
    require_here(timing(i).is_steps() && timing(i).axis == 1 && timing(i).same_rows(timing(0)),
                 "attends to another sequence");
  }
  require_here(window_ > 0 || !any_length_,
               "attends to all steps of a model that takes any length; attention_window says how many to remember");
  const Index window = window_ == 0 ? steps_ : window_;
  require_here(window <= most_remembered, "remembers {} steps; {} are the most", window, most_remembered);
  op_.name = "stream_" + op_.name;
  op_.attributes.push_back({"window", window});
  return timing(0);
}

}  // namespace cornu::detail
