#include "cornu/tool/graph_batch.h"

#include <algorithm>

#include "cornu/core/error.h"

namespace cornu::tool {

namespace {

bool is_open(const DeclaredShape& shape) { return !shape || (!shape->empty() && shape->front() < 0); }

}  // namespace

std::optional<GraphBatch> batch_of(std::span<const DeclaredShape> inputs, const DeclaredShape& output) {
  using Kind = GraphBatch::Kind;
  if (std::all_of(inputs.begin(), inputs.end(), is_open)) return GraphBatch{Kind::any};
  std::optional<Index> size;  // that all fixed first axes have
  bool are_same = true, have_two_axes = true, is_mixed = false;
  for (const DeclaredShape& input : inputs) {
    if (is_open(input)) {
      is_mixed = true;
      continue;
    }
    have_two_axes = have_two_axes && input->size() > 1;
    are_same = are_same && !input->empty() && size.value_or(input->front()) == input->front();
    if (!input->empty()) size = input->front();
  }
  const bool fits_output = !output || (!output->empty() && (output->front() < 0 || output->front() == size));
  if (are_same && have_two_axes && fits_output && *size > 0) return GraphBatch{Kind::fixed, *size};
  if (is_mixed) return std::nullopt;
  return GraphBatch{Kind::none};
}

std::string text_of(const std::optional<GraphBatch>& batch) {
  if (!batch) return "only some inputs have a batch axis";
  switch (batch->kind) {
    case GraphBatch::Kind::any:
      return "any size";
    case GraphBatch::Kind::fixed:
      return message("{} sample{}", batch->size, batch->size == 1 ? "" : "s");
    default:
      return "none, a pass takes one sample";
  }
}

}  // namespace cornu::tool
