#include "cornu/tool/costs.h"

#include <algorithm>

#include "cornu/core/autodiff/trace.h"

namespace cornu::tool {

namespace {

using Entry = detail::Recording::Entry;

bool is_transposed(const Entry& entry) {
  return std::any_of(entry.attributes.begin(), entry.attributes.end(), [](const Trace::Attribute& each) {
    return each.name == "transpose_a" && std::get_if<bool>(&each.value) != nullptr && std::get<bool>(each.value);
  });
}

Index costs(const std::vector<Entry>& entries);

Index costs(const Entry& entry) {
  if (!entry.body.empty()) return costs(entry.body);
  const auto shape = [&](std::size_t i) { return entry.operands[i]->shape; };
  const Index results = entry.result->shape.size();
  // Kernels are (rows, columns, in, out); those of transposed convolutions (rows, columns, out, in).
  if (entry.op == "conv2d_transpose") return shape(0).size() * shape(1).sub(0, 3).size();
  if (entry.op == "conv2d") return results * shape(1).sub(0, 3).size();
  if (entry.op == "depthwise_conv2d") return results * shape(1).sub(0, 2).size();
  if (entry.op == "affine") return results * shape(1)[0];
  if (entry.op == "matmul") {
    const Shape a = shape(0);
    return a.rank() == 0 ? 0 : results * a[is_transposed(entry) && a.rank() > 1 ? -2 : -1];
  }
  if (entry.op.starts_with("lstm") || entry.op.starts_with("gru")) {
    return shape(0).sub(0, 2).size() * (shape(1).size() + shape(2).size());
  }
  return 0;
}

Index costs(const std::vector<Entry>& entries) {
  Index sum = 0;
  for (const Entry& entry : entries) sum += costs(entry);
  return sum;
}

}  // namespace

Index multiply_adds(const std::function<void(Tape&)>& pass) {
  detail::Recording recording;
  Tape tape(Mode::inference);
  tape.record(&recording);
  pass(tape);
  return costs(recording.entries);
}

}  // namespace cornu::tool
