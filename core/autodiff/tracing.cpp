#include <algorithm>
#include <cstring>
#include <exception>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "cornu/core/autodiff/operand.h"
#include "cornu/core/autodiff/trace.h"
#include "cornu/core/error.h"

namespace cornu {

namespace detail {

void Recording::add(const Node& result, const OpDescription& op, std::span<const Var> operands) {
  Entry entry{&result, op.name, {}, {}, layer};
  for (const OpAttribute& given : op.attributes) {
    Trace::Attribute attribute{given.name, false};
    std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, std::string_view>) {
            attribute.value = std::string(value);
          } else if constexpr (std::is_same_v<T, std::span<const Index>>) {
            attribute.value = std::vector<Index>(value.begin(), value.end());
          } else {
            attribute.value = value;
          }
        },
        given.value);
    entry.attributes.push_back(std::move(attribute));
  }
  for (const Var operand : operands) entry.operands.push_back(&node(operand));
  entries.push_back(std::move(entry));
}

void Recording::compose(std::size_t begin, Var result, const OpDescription& op, std::span<const Var> operands) {
  const auto first = entries.begin() + static_cast<std::ptrdiff_t>(begin);
  std::vector<Entry> body(std::make_move_iterator(first), std::make_move_iterator(entries.end()));
  if (body.empty()) return;  // the result is an operand
  entries.erase(first, entries.end());
  add(node(result), op, operands);
  entries.back().body = std::move(body);
}

std::size_t begin_composite(const Recording& recording) { return recording.entries.size(); }

void end_composite(Tape& tape, std::size_t begin, Var result, const OpDescription& op,
                   std::initializer_list<Operand> operands) {
  std::vector<Var> values;
  for (const Operand& operand : operands) values.push_back(operand.on(tape));
  tape.recording()->compose(begin, result, op, values);
}

}  // namespace detail

namespace {

using detail::Node;
using detail::Recording;

void read_operands(const Recording::Entry& entry, std::unordered_set<const Node*>& used) {
  used.insert(entry.operands.begin(), entry.operands.end());
  for (const Recording::Entry& part : entry.body) read_operands(part, used);
}

/// Drops the ops that no output depends on: a loss that a layer adds (Tape::add_loss) can depend on the batch size.
void drop_unused(std::vector<Recording::Entry>& entries, std::span<const Var> outputs) {
  std::unordered_set<const Node*> used;
  for (const Var output : outputs) used.insert(&Recording::node(output));
  for (std::size_t i = entries.size(); i-- > 0;) {
    if (used.contains(entries[i].result)) read_operands(entries[i], used);
  }
  std::erase_if(entries, [&](const Recording::Entry& entry) { return !used.contains(entry.result); });
}

/// One traced pass over a batch of this size. All dimensions are fixed.
class Pass {
 public:
  /// The elements of the inputs are 0, or small positive numbers.
  Pass(const TracedFunction& function, std::span<const Shape> samples, const TracedParameters& parameters, Index batch,
       bool zero = true, Mode mode = Mode::inference)
      : parameters_(parameters), tape_(mode) {
    Recording recording;
    tape_.record(&recording);
    std::vector<Tensor> numbers;
    for (const Shape& sample : samples) {
      Tensor& input = numbers.emplace_back(sample.batched(batch));
      for (Index i = 0; !zero && i < input.size(); ++i) input[i] = static_cast<Real>(1 + i % 3);
    }
    std::vector<Var> inputs;
    for (const Tensor& each : numbers) inputs.push_back(tape_.samples(each));
    for (const Var input : inputs) {
      trace_.inputs.push_back(
          add(Recording::node(input), {.kind = Trace::Kind::input, .shape = Trace::fixed(input.shape())}));
    }
    const std::vector<Var> outputs = function(tape_, inputs);
    drop_unused(recording.entries, outputs);
    for (const Recording::Entry& entry : recording.entries) trace_.ops.push_back(add(entry));
    for (const Var output : outputs) trace_.outputs.push_back(position(Recording::node(output)));
    trace_.mixes_samples = tape_.mixes_samples();
  }
  Trace result() && { return std::move(trace_); }

 private:
  std::size_t add(const Node& node, Trace::Value value) {
    trace_.values.push_back(std::move(value));
    return positions_[&node] = trace_.values.size() - 1;
  }

  /// The value of a node; adds one for a parameter or a constant that has none yet.
  std::size_t position(const Node& node) {
    const auto known = positions_.find(&node);
    if (known != positions_.end()) return known->second;
    if (node.parameter == nullptr)
      return add(node, Trace::owning(Trace::Kind::constant, Tensor(ConstView(node.value, node.shape))));
    Trace::Value value{.kind = Trace::Kind::constant, .shape = Trace::fixed(node.shape)};
    value.data = ConstView(node.value, node.shape);
    for (const auto& [name, parameter] : parameters_) {
      if (parameter != node.parameter) continue;
      value.kind = Trace::Kind::parameter;
      value.name = name;
      value.trains = parameter->trainable;
      break;
    }
    return add(node, std::move(value));
  }

  Trace::Op add(const Recording::Entry& entry) {
    Trace::Op op{entry.op, entry.attributes, {}, 0, entry.layer, {}};
    for (const Node* operand : entry.operands) op.operands.push_back(position(*operand));
    for (const Recording::Entry& part : entry.body) op.body.push_back(add(part));
    if (!op.body.empty()) {
      op.result = position(*entry.result);
      return op;
    }
    Trace::Value value{.shape = Trace::fixed(entry.result->shape)};
    const bool depends = std::any_of(op.operands.begin(), op.operands.end(), [&](std::size_t operand) {
      return trace_.values[operand].data.data() == nullptr;
    });
    if (!depends) {
      const ConstView made(entry.result->value, entry.result->shape);
      if (op.name == "reshape") {  // the operand's memory
        value.owned = trace_.operand(op, 0).owned;
        value.data = ConstView(trace_.operand(op, 0).data.data(), made.shape());
      } else {
        value.owned = std::make_shared<const Tensor>(made);
        value.data = *value.owned;
      }
    }
    op.result = add(*entry.result, std::move(value));
    return op;
  }

  const TracedParameters& parameters_;
  Tape tape_;
  Trace trace_;
  std::unordered_map<const Node*, std::size_t> positions_;
};

bool same_elements(ConstView a, ConstView b) {
  return a.shape() == b.shape() &&
         (a.size() == 0 || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(Real)) == 0);
}

bool varies(const Trace::Value& value) {
  return std::any_of(value.shape.begin(), value.shape.end(),
                     [](const Trace::Dimension& each) { return each.per_sample != 0; });
}

/// "conv2d of encoder/conv".
std::string place_of(const Trace::Op& op) {
  return op.layer.empty() ? op.name : message("{} of {}", op.name, op.layer);
}

/// The first op that reads the value, for errors.
std::string reader_of(const Trace& trace, std::size_t value) {
  for (const Trace::Op& op : trace.ops) {
    if (std::find(op.operands.begin(), op.operands.end(), value) != op.operands.end()) return place_of(op);
  }
  return "the model";
}

constexpr Index small_batch = 2, large_batch = 3, largest_batch = 7;

/// True if two passes called the same ops on the same values.
bool same_ops(const std::vector<Trace::Op>& ops, const std::vector<Trace::Op>& others) {
  return std::equal(ops.begin(), ops.end(), others.begin(), others.end(), [](const Trace::Op& a, const Trace::Op& b) {
    return a.name == b.name && a.operands == b.operands && a.result == b.result && same_ops(a.body, b.body);
  });
}

bool same_structure(const Trace& a, const Trace& b) {
  const auto same_rank = [](const Trace::Value& x, const Trace::Value& y) {
    return x.kind == y.kind && x.shape.size() == y.shape.size();
  };
  return same_ops(a.ops, b.ops) && a.outputs == b.outputs &&
         std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(), same_rank);
}

bool same_options(const Trace::Op& a, const Trace::Op& b) {
  return a.attributes == b.attributes && std::equal(a.body.begin(), a.body.end(), b.body.begin(), same_options);
}

void require_same_options(const std::vector<Trace::Op>& ops, const std::vector<Trace::Op>& others) {
  for (std::size_t i = 0; i < ops.size(); ++i) {
    require<ValueError>(ops[i].attributes == others[i].attributes,
                        "trace: {}: an option depends on the size of the batch", place_of(ops[i]));
    require_same_options(ops[i].body, others[i].body);
  }
}

/// Drops the elements of what depends on an input, also by a repeated row, or has a row for each sample. Throws
/// ValueError if other elements depend on the size of the batch. larger: the pass over another batch.
void forget_dependent(Trace& trace, const std::vector<Trace::Op>& ops, const Trace& larger) {
  for (const Trace::Op& op : ops) {
    forget_dependent(trace, op.body, larger);
    Trace::Value& result = trace.values[op.result];
    const bool depends = std::any_of(op.operands.begin(), op.operands.end(),
                                     [&](std::size_t operand) { return trace.values[operand].data.data() == nullptr; });
    if (depends || varies(result)) {
      result.data = {};
      result.owned.reset();
    } else if (result.data.data() != nullptr) {
      require<ValueError>(same_elements(result.data, larger.values[op.result].data),
                          "trace: {}: its result depends on the size of the batch", place_of(op));
    }
  }
}

/// Throws ValueError if a constant is computed from the values of the inputs.
void require_true_constants(const Trace& trace, const TracedFunction& function, std::span<const Shape> samples,
                            const TracedParameters& parameters) {
  std::optional<Trace> other;
  try {
    other = Pass(function, samples, parameters, small_batch, false).result();
  } catch (const std::exception&) {
    return;  // not every layer takes these inputs: they are out of an Embedding's range, for example
  }
  if (!same_structure(trace, *other)) return;  // it branches on values
  for (std::size_t at = 0; at < trace.values.size(); ++at) {
    require<ValueError>(
        trace.values[at].kind != Trace::Kind::constant || same_elements(trace.values[at].data, other->values[at].data),
        "trace: {}: a constant is computed from the values of the inputs", reader_of(trace, at));
  }
}

/// Replaces a constant whose first axis is the batch by its first row and an op "repeat", which repeats the row for
/// each sample of an input. Throws ValueError unless all rows are equal.
void repeat_row(Trace& trace, std::size_t at, ConstView larger, std::vector<Trace::Op>& repeats) {
  Trace::Value& value = trace.values[at];
  const Shape shape = value.data.shape();
  const bool per_sample = value.shape.front() == Trace::Dimension{0, 1} &&
                          std::all_of(value.shape.begin() + 1, value.shape.end(),
                                      [](const Trace::Dimension& each) { return each.per_sample == 0; });
  bool equal = per_sample;
  if (per_sample) {
    const Index width = shape.sub(1).size();
    const ConstView row(value.data.data(), shape.sub(1));
    for (Index i = 0; i < small_batch; ++i)
      equal = equal && same_elements(row, {value.data.data() + i * width, row.shape()});
    for (Index i = 0; i < large_batch; ++i)
      equal = equal && same_elements(row, {larger.data() + i * width, row.shape()});
  }
  require<ValueError>(equal, "trace: {}: a constant of shape {} depends on the size of the batch", reader_of(trace, at),
                      to_string(value.shape));
  Tensor row(shape.with(0, 1));
  std::copy_n(value.data.data(), row.size(), row.data());
  value.kind = Trace::Kind::result;
  value.data = {};
  value.owned.reset();
  const std::size_t constant = trace.constant(std::move(row));  // invalidates `value`
  repeats.push_back({"repeat", {}, {constant, trace.inputs.front()}, at, "", {}});
}

}  // namespace

Trace trace(const TracedFunction& function, std::span<const Shape> samples, const TracedParameters& parameters) {
  Trace result = Pass(function, samples, parameters, small_batch).result();
  const Trace larger = Pass(function, samples, parameters, large_batch).result(),
              largest = Pass(function, samples, parameters, largest_batch).result();
  for (const Trace* other : {&larger, &largest}) {
    require<ValueError>(same_structure(result, *other),
                        "trace: the model calls other ops for another size of the batch");
    require_same_options(result.ops, other->ops);
  }
  require_true_constants(result, function, samples, parameters);
  const std::size_t count = result.values.size();
  for (std::size_t at = 0; at < count; ++at) {
    for (std::size_t i = 0; i < result.values[at].shape.size(); ++i) {
      Trace::Dimension& dimension = result.values[at].shape[i];
      const Index small = dimension.fixed, per_sample = larger.values[at].shape[i].fixed - small;
      dimension = {small - small_batch * per_sample, per_sample};
      require<ValueError>(dimension.at(largest_batch) == largest.values[at].shape[i].fixed,
                          "trace: {}: an axis of its operand does not grow by the same number for each sample",
                          reader_of(result, at));
    }
  }
  std::vector<Trace::Op> repeats;
  for (std::size_t at = 0; at < count; ++at) {
    if (result.values[at].kind != Trace::Kind::constant) continue;
    if (varies(result.values[at])) {
      repeat_row(result, at, larger.values[at].data, repeats);
    } else {
      require<ValueError>(same_elements(result.values[at].data, larger.values[at].data),
                          "trace: {}: a constant depends on the size of the batch", reader_of(result, at));
    }
  }
  forget_dependent(result, result.ops, larger);
  result.ops.insert(result.ops.begin(), repeats.begin(), repeats.end());
  return result;
}

void detail::require_same_in_training(const TracedFunction& function, std::span<const Shape> samples,
                                      const TracedParameters& parameters) {
  const Trace inference = Pass(function, samples, parameters, small_batch).result(),
              training = Pass(function, samples, parameters, small_batch, true, Mode::training).result();
  const auto require_same = [](bool same, const std::string& where) {
    require<ValueError>(same, "{}: it computes something else in training than in inference", where);
  };
  for (std::size_t i = 0; i < std::max(inference.ops.size(), training.ops.size()); ++i) {
    const bool both = i < inference.ops.size() && i < training.ops.size();
    const Trace::Op& op = i < training.ops.size() ? training.ops[i] : inference.ops[i];
    require_same(both && same_ops({inference.ops[i]}, {op}) && same_options(inference.ops[i], op),
                 op.layer.empty() ? op.name : op.layer);
  }
  require_same(inference.outputs == training.outputs, "the model");
  for (std::size_t at = 0; at < inference.values.size(); ++at) {
    const Trace::Value &value = inference.values[at], &other = training.values[at];
    require_same(
        value.name == other.name && (value.kind != Trace::Kind::constant || same_elements(value.data, other.data)),
        reader_of(inference, at));
  }
}

}  // namespace cornu
