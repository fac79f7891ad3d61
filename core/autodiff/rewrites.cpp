#include "cornu/core/autodiff/rewrites.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace cornu {

namespace {

/// Calls f for each operand of an op and of the ops that it is composed of.
template <class Op, class F>
void each_operand(Op& op, const F& f) {
  for (auto& operand : op.operands) f(operand);
  for (auto& part : op.body) each_operand(part, f);
}

/// For each value, how often ops and outputs read it.
std::vector<std::size_t> reader_counts(const Trace& trace) {
  std::vector<std::size_t> counts(trace.values.size());
  for (const Trace::Op& op : trace.ops) {
    each_operand(op, [&](std::size_t operand) { ++counts[operand]; });
  }
  for (const std::size_t output : trace.outputs) ++counts[output];
  return counts;
}

void replace(Trace& trace, const std::vector<std::size_t>& by) {
  for (Trace::Op& op : trace.ops) {
    each_operand(op, [&](std::size_t& operand) { operand = by[operand]; });
  }
  for (std::size_t& output : trace.outputs) output = by[output];
}

/// Each value by itself.
std::vector<std::size_t> identity(const Trace& trace) {
  std::vector<std::size_t> result(trace.values.size());
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = i;
  return result;
}

void append_expanded(std::vector<Trace::Op>& ops, Trace::Op& op, const std::function<bool(const Trace::Op&)>& keep) {
  if (op.body.empty() || keep(op)) {
    ops.push_back(std::move(op));
  } else {
    for (Trace::Op& part : op.body) append_expanded(ops, part, keep);
  }
}

}  // namespace

void expand_composites(Trace& trace, const std::function<bool(const Trace::Op&)>& keep) {
  std::vector<Trace::Op> ops;
  for (Trace::Op& op : trace.ops) append_expanded(ops, op, keep);
  trace.ops = std::move(ops);
}

void fold_constants(Trace& trace) {
  std::erase_if(trace.ops, [&](const Trace::Op& op) {
    Trace::Value& result = trace.values[op.result];
    if (result.data.data() == nullptr) return false;
    const bool is_parameter = op.name == "reshape" && trace.operand(op, 0).kind == Trace::Kind::parameter;
    result.kind = is_parameter ? Trace::Kind::parameter : Trace::Kind::constant;
    if (!is_parameter) return true;
    result.name = trace.operand(op, 0).name;
    result.trains = trace.operand(op, 0).trains;
    return true;
  });
}

void merge_equal_ops(Trace& trace) {
  std::vector<std::size_t> by = identity(trace);
  std::map<std::pair<std::string, std::vector<std::size_t>>, std::vector<std::size_t>> kept;  // by name and operands
  std::vector<Trace::Op> ops;
  for (Trace::Op& op : trace.ops) {
    each_operand(op, [&](std::size_t& operand) { operand = by[operand]; });
    std::vector<std::size_t>& alike = kept[{op.name, op.operands}];
    const auto same = std::find_if(alike.begin(), alike.end(), [&](std::size_t i) {
      return !op.name.empty() && op.body.empty() && ops[i].body.empty() && ops[i].attributes == op.attributes &&
             trace.result(ops[i]).shape == trace.result(op).shape;
    });
    if (same != alike.end()) {
      by[op.result] = ops[*same].result;
      continue;
    }
    alike.push_back(ops.size());
    ops.push_back(std::move(op));
  }
  trace.ops = std::move(ops);
  for (std::size_t& output : trace.outputs) output = by[output];
}

namespace {

/// Replaces an operand by itself with its last two axes exchanged, and appends the op that does so.
void transpose_operand(Trace& trace, Trace::Op& op, std::size_t i, std::vector<Trace::Op>& ops) {
  Trace::Value value{.shape = trace.operand(op, i).shape};
  std::vector<Index> axes;
  for (std::size_t axis = 0; axis < value.shape.size(); ++axis) axes.push_back(static_cast<Index>(axis));
  std::swap(axes.end()[-1], axes.end()[-2]);
  std::swap(value.shape.end()[-1], value.shape.end()[-2]);
  trace.values.push_back(std::move(value));
  ops.push_back({"transpose", {{"axes", std::move(axes)}}, {op.operands[i]}, trace.values.size() - 1, op.layer, {}});
  op.operands[i] = trace.values.size() - 1;
}

}  // namespace

void merge_transposes(Trace& trace) {
  std::vector<Trace::Op> ops;
  std::map<std::size_t, std::size_t> maker;  // of the result of a transpose: its position in `ops`
  const auto append = [&](Trace::Op op) {
    if (op.name == "transpose") {
      const auto inner = maker.find(op.operands.front());
      if (inner != maker.end()) {
        std::vector<Index> axes;
        for (const Index axis : op.integers("axes")) {
          axes.push_back(ops[inner->second].integers("axes")[static_cast<std::size_t>(axis)]);
        }
        op.operands = ops[inner->second].operands;
        op.attributes = {{"axes", std::move(axes)}};
      }
      maker[op.result] = ops.size();
    }
    ops.push_back(std::move(op));
  };
  for (Trace::Op& op : trace.ops) {
    if (op.name == "matmul" && op.body.empty()) {
      std::vector<Trace::Op> transposes;
      if (op.flag("transpose_a")) transpose_operand(trace, op, 0, transposes);
      if (op.flag("transpose_b")) transpose_operand(trace, op, 1, transposes);
      for (Trace::Op& transpose : transposes) append(std::move(transpose));
      op.attributes = {{"transpose_a", false}, {"transpose_b", false}};
    }
    append(std::move(op));
  }
  trace.ops = std::move(ops);
}

void remove_unused_ops(Trace& trace) {
  std::vector<bool> used(trace.values.size());
  for (const std::size_t output : trace.outputs) used[output] = true;
  for (std::size_t i = trace.ops.size(); i-- > 0;) {
    if (used[trace.ops[i].result]) each_operand(trace.ops[i], [&](std::size_t operand) { used[operand] = true; });
  }
  std::erase_if(trace.ops, [&](const Trace::Op& op) { return !used[op.result]; });
}

namespace {

/// A product that a normalization can be folded into.
bool is_product(const Trace& trace, const Trace::Op& op) {
  if (op.name == "conv2d" && op.flag("relu")) return false;
  if (op.name == "matmul" &&
      (op.flag("transpose_a") || op.flag("transpose_b") || trace.operand(op, 1).shape.size() != 2))
    return false;
  return op.name == "affine" || op.name == "matmul" || op.name == "conv2d" || op.name == "depthwise_conv2d";
}

bool all_known(const Trace& trace, const Trace::Op& op) {
  return std::all_of(op.operands.begin() + 1, op.operands.end(),
                     [&](std::size_t operand) { return trace.values[operand].is_known(); });
}

}  // namespace

void fuse_bias(Trace& trace) {
  const std::vector<std::size_t> readers = reader_counts(trace);
  std::map<std::size_t, std::size_t> maker;  // of a value: the op whose result it is
  std::vector<std::size_t> by = identity(trace);
  std::vector<bool> dropped(trace.ops.size());
  for (std::size_t i = 0; i < trace.ops.size(); ++i) {
    const Trace::Op& sum = trace.ops[i];
    maker[sum.result] = i;
    if (sum.name != "add") continue;
    for (const std::size_t side : {0U, 1U}) {
      const auto before = maker.find(sum.operands[side]);
      const std::size_t bias = sum.operands[1 - side];
      if (before == maker.end() || readers[before->first] != 1 || !trace.values[bias].is_known()) continue;
      Trace::Op& product = trace.ops[before->second];
      if (!is_product(trace, product) || product.operands.size() > 2 || dropped[before->second]) continue;
      const Trace::Dimensions& result = trace.result(product).shape;
      if (result.size() < 2 || trace.values[bias].shape != Trace::Dimensions{result.back()} ||
          trace.result(sum).shape != result)
        continue;
      product.operands.push_back(bias);
      if (product.name == "matmul") {
        product.name = "affine";
        product.attributes.clear();
      }
      by[sum.result] = product.result;
      dropped[i] = true;
      maker[sum.result] = before->second;
      break;
    }
  }
  std::size_t at = 0;
  std::erase_if(trace.ops, [&](const Trace::Op&) { return dropped[at++]; });
  for (std::size_t value = 0; value < by.size(); ++value) {
    while (by[by[value]] != by[value]) by[value] = by[by[value]];
  }
  replace(trace, by);
}

void fold_batch_normalization(Trace& trace) {
  const std::vector<std::size_t> readers = reader_counts(trace);
  std::map<std::size_t, std::size_t> maker;  // of a value: the op whose result it is
  std::vector<std::size_t> by = identity(trace);
  std::vector<bool> dropped(trace.ops.size());
  for (std::size_t i = 0; i < trace.ops.size(); ++i) {
    maker[trace.ops[i].result] = i;
    const Trace::Op& normalization = trace.ops[i];
    if (normalization.name != "batch_normalization" || !all_known(trace, normalization)) continue;
    const auto alone = [&](std::size_t value) {
      const auto found = maker.find(value);
      return found != maker.end() && readers[value] == 1 ? &trace.ops[found->second] : nullptr;
    };
    Trace::Op* before = alone(normalization.operands.front());
    // Conv1D reshapes its result, which keeps the outputs.
    if (before != nullptr && before->name == "reshape" && !trace.operand(*before, 0).shape.empty() &&
        trace.operand(*before, 0).shape.back() == trace.result(*before).shape.back()) {
      before = alone(before->operands.front());
    }
    if (before == nullptr) continue;
    Trace::Op& product = *before;
    if (!is_product(trace, product) || !all_known(trace, product)) continue;

    const ConstView mean = trace.operand(normalization, 1).data, variance = trace.operand(normalization, 2).data,
                    scale = trace.operand(normalization, 3).data, offset = trace.operand(normalization, 4).data;
    const Trace::Value& kernel = trace.operand(product, 1);
    Tensor weights(kernel.data), bias(Shape{mean.size()});
    if (product.operands.size() > 2) bias = Tensor(trace.operand(product, 2).data);
    std::vector<Real> factors;
    for (Index j = 0; j < mean.size(); ++j) {
      factors.push_back(static_cast<Real>(static_cast<double>(scale[j]) /
                                          std::sqrt(static_cast<double>(variance[j]) + normalization.real("epsilon"))));
      bias[j] = (bias[j] - mean[j]) * factors.back() + offset[j];
    }
    for (Index k = 0; k < weights.size(); ++k) weights[k] *= factors[static_cast<std::size_t>(k % mean.size())];
    const std::string name = kernel.name, bias_name = product.operands.size() > 2
                                                          ? trace.operand(product, 2).name
                                                          : trace.operand(normalization, 4).name;
    const std::size_t new_kernel = trace.constant(std::move(weights)), new_bias = trace.constant(std::move(bias));
    trace.values[new_kernel].name = name;
    trace.values[new_bias].name = bias_name;
    product.operands = {product.operands[0], new_kernel, new_bias};
    if (product.name == "matmul") {
      product.name = "affine";
      product.attributes.clear();
    }
    by[normalization.result] = normalization.operands.front();
    dropped[i] = true;
  }
  by.resize(trace.values.size());
  for (std::size_t value = readers.size(); value < by.size(); ++value) by[value] = value;
  std::size_t at = 0;
  std::erase_if(trace.ops, [&](const Trace::Op&) { return dropped[at++]; });
  replace(trace, by);
}

}  // namespace cornu
