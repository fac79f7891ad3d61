#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// log_p: log-probabilities (batch, classes, d...); labels: (batch, d...). Loss of an element: -w[label] log_p[label],
/// reduced by none, sum or weighted mean. Labels equal to ignore_index have weight 0.
void negative_log_likelihood(Call& call, Var log_p) {
  const Shape labels = call.shape(1);
  require(log_p.rank() >= 2 && labels == log_p.shape().without(1),
          "scores of shape {} and labels of shape {}; (batch, classes, ...) and (batch, ...) are required",
          log_p.shape(), labels);
  const Index classes = log_p.shape()[1], inner = log_p.shape().sub(2).size();
  require(!call.has(2) || call[2].shape() == Shape{classes}, "class weights of shape {} for {} classes",
          call.has(2) ? call[2].shape() : Shape{}, classes);
  const bool ignores = call.has("ignore_index");
  const Index ignored = ignores ? call.integer("ignore_index") : 0;
  const std::span<const Index> label = call.integers(1);
  const std::span<Index> positions = call.memory<Index>(label.size());
  const View weight = call.tape().scratch(labels);
  for (std::size_t i = 0; i < label.size(); ++i) {
    const auto at = static_cast<Index>(i);
    if (ignores && label[i] == ignored) {
      positions[i] = -1;
      weight[at] = 0;
      continue;
    }
    require<ValueError>(0 <= label[i] && label[i] < classes, "label {} is not one of {} classes", label[i], classes);
    positions[i] = (at / inner * classes + label[i]) * inner + at % inner;
    weight[at] = call.has(2) ? call[2].value()[label[i]] : Real{1};
  }
  const Var w = call.tape().input(weight);
  const Var picked = cornu::reshape(detail::take(cornu::reshape(log_p, {log_p.size()}), 0, positions), labels);
  const Var losses = -picked * w;
  const std::string_view reduction = call.text("reduction", "mean");
  if (reduction == "none") return call.result(losses);
  if (reduction == "sum") return call.result(sum(losses));
  require<FormatError>(reduction == "mean", "reduction is '{}'; none, sum and mean are known", reduction);
  call.result(sum(losses) / sum(w));
}

void nll_loss(Call& call) { negative_log_likelihood(call, call[0]); }

void cross_entropy(Call& call) {
  const Var log_p = log_softmax(call[0], 1);
  negative_log_likelihood(call, log_p);
  call.result(1, log_p);
}

}  // namespace

std::span<const Op> loss_ops() {
  constexpr std::string_view attributes = "ignore_index reduction ";
  static constexpr Op ops[] = {
      {.name = "NegativeLogLikelihoodLoss", .since = 12, .inputs = {2, 3}, .attributes = attributes, .run = nll_loss},
      {.name = "SoftmaxCrossEntropyLoss",
       .since = 12,
       .inputs = {2, 3},
       .outputs = 2,
       .attributes = attributes,
       .run = cross_entropy},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
