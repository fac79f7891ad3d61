#include "cornu/onnx/op_writer.h"

#include "cornu/core/autodiff/op_rows.h"
#include "cornu/core/autodiff/rewrites.h"
#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/core/text/printable.h"
#include "cornu/onnx/rows.h"

namespace cornu::onnx {

// ---- The rows ----

namespace {

cornu::detail::OpRows<OpRow>& rows() {
  static cornu::detail::OpRows<OpRow> all("onnx::register_op",
                                          {detail::arithmetic_rows(), detail::image_rows(), detail::sequence_rows(),
                                           detail::shape_rows(), detail::indexing_rows()});
  return all;
}

}  // namespace

void register_op(std::string op, OpRow row) { rows().add(std::move(op), std::move(row)); }
const OpRow* detail::row_of(std::string_view op) { return rows().find(op); }
std::vector<std::string> detail::op_names() { return rows().names(); }

// ---- One op ----

namespace {

/// The axes of a value of this rank, in the order with the channels first, and back.
std::vector<Index> first_order(Index rank) {
  std::vector<Index> axes{0, rank - 1};
  for (Index i = 1; i < rank - 1; ++i) axes.push_back(i);
  return axes;
}
std::vector<Index> last_order(Index rank) {
  std::vector<Index> axes{0};
  for (Index i = 2; i < rank; ++i) axes.push_back(i);
  axes.push_back(1);
  return axes;
}

}  // namespace

OpWriter::OpWriter(const Trace& trace, detail::Writer& writer, Index opset)
    : trace_(trace), writer_(writer), opset_(opset), names_(trace.values.size()) {}

std::string OpWriter::own_name() const { return op_->layer.empty() ? op_->name : op_->layer; }

/// A parameter is an initializer, which is trained after an import, unless it does not learn. Everything else is a
/// constant. first: with the channels first, in as many axes as the result has.
std::string OpWriter::known(std::size_t at, bool first) {
  const Trace::Value& value = trace_.values[at];
  Tensor numbers(value.data);
  if (first) {
    const auto rank = static_cast<Index>(result().shape.size());
    Shape whole = numbers.shape();
    while (whole.rank() < rank) whole = whole.inserted(0, 1);
    numbers = transpose(reshape(numbers, whole), first_order(rank));
  }
  const bool learns = value.kind == Trace::Kind::parameter && value.trains;
  return learns ? writer_.initializer(value.name, numbers) : constant(numbers);
}

/// Where a value is in the graph. Throws ValueError if it is nowhere.
OpWriter::Names& OpWriter::written(std::size_t at) {
  Names& names = names_[at];
  require<ValueError>(!names.last.empty() || !names.first.empty() || trace_.values[at].is_known(),
                      "the op {} reads a value that a composed op makes on its way", op_->name);
  return names;
}

std::string OpWriter::operand(std::size_t i) {
  const std::size_t at = op_->operands[i];
  Names& names = written(at);
  if (names.last.empty()) {
    names.last = trace_.values[at].is_known()
                     ? known(at, false)
                     : transposed(names.first, last_order(static_cast<Index>(value(i).shape.size())));
  }
  return names.last;
}

std::string OpWriter::channels_first(std::size_t i) {
  const std::size_t at = op_->operands[i];
  if (trace_.values[at].is_known()) {
    return value(i).data.size() == 1 && value(i).shape.empty() ? operand(i) : known(at, true);
  }
  Names& names = written(at);
  if (names.first.empty()) {
    names.first = transposed(names.last, first_order(static_cast<Index>(value(i).shape.size())));
  }
  return names.first;
}

bool OpWriter::is_channels_first(std::size_t i) const {
  const Names& names = names_[op_->operands[i]];
  return names.last.empty() && !names.first.empty();
}

std::string OpWriter::node(std::string_view type, std::span<const std::string> inputs,
                           std::span<const NodeAttribute> attributes) {
  return writer_.node(type, inputs, attributes, own_name());
}

std::string OpWriter::node(std::string_view type, std::initializer_list<std::string_view> inputs,
                           std::initializer_list<NodeAttribute> attributes) {
  return node(type, std::vector<std::string>(inputs.begin(), inputs.end()),
              std::span(attributes.begin(), attributes.size()));
}

std::vector<std::string> OpWriter::nodes(std::string_view type, std::span<const std::string> inputs,
                                         std::size_t outputs, std::span<const NodeAttribute> attributes) {
  const std::string name = writer_.unique_name(own_name());
  std::vector<std::string> results;
  for (std::size_t i = 0; i < outputs; ++i) results.push_back(writer_.unique_name(message("{}_{}", own_name(), i)));
  writer_.node_of(type, "", inputs, results, attributes, name);
  return results;
}

std::string OpWriter::constant(const Tensor& numbers) { return node("Constant", {}, {{"value", &numbers}}); }

std::string OpWriter::weight(std::size_t operand, const Tensor& numbers) {
  // A parameter that several ops of a kind read is written once, so that it stays one weight after an import.
  std::string& written = weights_[{op_->operands[operand], op_->name, to_string(numbers.shape())}];
  if (written.empty()) {
    const std::string& name = value(operand).name;
    written = writer_.initializer(name.empty() ? own_name() : name, numbers);
  }
  return written;
}

std::string OpWriter::integers(std::span<const Index> numbers) {
  std::string& name = lists_[std::vector<Index>(numbers.begin(), numbers.end())];
  if (name.empty()) name = writer_.initializer("list", numbers);
  return name;
}

std::string OpWriter::transposed(std::string_view value, std::vector<Index> axes) {
  return writer_.node("Transpose", {value}, {{"perm", std::move(axes)}});
}

// ---- The graph ----

namespace detail {

/// Writes all ops, in order.
class GraphWriter {
 public:
  GraphWriter(const Trace& trace, detail::Writer& writer, Index opset) : trace_(trace), to_(trace, writer, opset) {}

  void write(std::span<const std::string> inputs, std::span<const std::string> outputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      to_.names_[trace_.inputs[i]].last = inputs[i];
      to_.writer_.input(inputs[i], dimensions(trace_.inputs[i]));
    }
    for (const Trace::Op& op : trace_.ops) {
      const Written result = written(op);
      const bool first = result.channels_first && trace_.result(op).shape.size() > 2;
      (first ? to_.names_[op.result].first : to_.names_[op.result].last) = result.name;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Trace::Op output{"", {}, {trace_.outputs[i]}, trace_.outputs[i], "", {}};
      to_.op_ = &output;
      const std::string from = to_.operand(0);
      to_.writer_.node_of("Identity", "", std::span(&from, 1), std::span(&outputs[i], 1), {}, outputs[i]);
      to_.writer_.output(outputs[i], dimensions(trace_.outputs[i]));
    }
  }

 private:
  std::vector<Index> dimensions(std::size_t value) const {
    std::vector<Index> result;
    for (const Trace::Dimension& each : trace_.values[value].shape) {
      result.push_back(each.per_sample == 0 ? each.fixed : detail::Writer::any);
    }
    return result;
  }

  Written written(const Trace::Op& op) {
    try {
      const OpRow* const row = detail::row_of(op.name);
      if (row == nullptr) refuse(op);
      to_.op_ = &op;
      Written result = (*row)(to_);
      require<ValueError>(!result.name.empty(), "the row of the op {} returns no name", op.name);
      return result;
    } catch (Error& error) {
      if (!op.layer.empty()) error.add_context(cornu::detail::printable(op.layer));
      throw;
    }
  }

  [[noreturn]] static void refuse(const Trace::Op& op) {
    require<ValueError>(!op.name.empty(),
                        "an op without a name cannot be written to an ONNX file; give Tape::output its name, and "
                        "register it by onnx::register_op");
    throw ValueError(message("the op {} cannot be written to an ONNX file; onnx::register_op says how", op.name));
  }

  const Trace& trace_;
  OpWriter to_;
};

}  // namespace detail

namespace {

/// The names of inputs or outputs, reserved before a layer can use them.
std::vector<std::string> port_names(detail::Writer& writer, const char* name, std::size_t count) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(writer.unique_name(count == 1 ? std::string(name) : message("{}_{}", name, i + 1)));
  }
  return result;
}

/// True for a composed op that ONNX has as one.
bool is_one_node(const Trace::Op& op) {
  if (op.name == "batch_normalization_along") return op.integer("axis") == 1;
  if (op.name == "gru_by_steps") {
    return op.text("activation") == "tanh" && op.text("recurrent_activation") == "sigmoid" && !op.flag("reset_after");
  }
  if (op.name == "simple_rnn") {
    const std::string& activation = op.text("activation");
    return activation == "tanh" || activation == "relu" || activation == "sigmoid";
  }
  return detail::row_of(op.name) != nullptr;
}

}  // namespace

void detail::write_graph(Trace trace, Writer& writer, Index opset) {
  expand_composites(trace, is_one_node);
  fold_constants(trace);
  merge_equal_ops(trace);
  fuse_bias(trace);
  merge_transposes(trace);
  merge_directions(trace);
  remove_unused_ops(trace);
  const std::vector<std::string> inputs = port_names(writer, "input", trace.inputs.size()),
                                 outputs = port_names(writer, "output", trace.outputs.size());
  GraphWriter(trace, writer, opset).write(inputs, outputs);
}

}  // namespace cornu::onnx
