#include "cornu/onnx/writer.h"

#include <algorithm>
#include <protozero/pbf_writer.hpp>

#include "cornu/core/text/utf8.h"

namespace cornu::onnx::detail {

namespace {

using protozero::pbf_writer;

/// A version of the file format that allows the opset.
std::int64_t ir_version_of(Index opset) { return opset >= 21 ? 10 : opset >= 19 ? 9 : 8; }

void add_text(pbf_writer& message, std::uint32_t field, std::string_view text) {
  message.add_string(field, text.data(), text.size());
}

/// Writes a tensor with elements of type T.
template <class T, class Numbers>
void add_tensor(pbf_writer& parent, std::uint32_t field, std::string_view name, std::span<const Index> shape,
                ElementType type, const Numbers& numbers) {
  pbf_writer message(parent, field);
  message.add_packed_int64(tensor_field::dims, shape.begin(), shape.end());
  message.add_enum(tensor_field::data_type, static_cast<std::int32_t>(type));
  add_text(message, tensor_field::name, name);
  std::vector<T> raw;
  raw.reserve(static_cast<std::size_t>(std::distance(numbers.begin(), numbers.end())));
  for (const auto number : numbers) raw.push_back(static_cast<T>(number));
  message.add_bytes(tensor_field::raw_data, reinterpret_cast<const char*>(raw.data()), raw.size() * sizeof(T));
}

void add_attribute(pbf_writer& message, const Given& given) {
  add_text(message, attribute_field::name, given.name);
  AttributeType type = AttributeType::integers;
  if (const auto* integer = std::get_if<Index>(&given.value)) {
    type = AttributeType::integer;
    message.add_int64(attribute_field::i, *integer);
  } else if (const auto* real = std::get_if<double>(&given.value)) {
    type = AttributeType::real;
    message.add_float(attribute_field::f, static_cast<float>(*real));
  } else if (const auto* text = std::get_if<std::string_view>(&given.value)) {
    type = AttributeType::text;
    add_text(message, attribute_field::s, *text);
  } else if (const auto* tensor = std::get_if<const Tensor*>(&given.value)) {
    type = AttributeType::tensor;
    const Shape shape = (*tensor)->shape();
    add_tensor<float>(message, attribute_field::t, "", shape.dimensions(), ElementType::float32, **tensor);
  } else if (const auto* reals = std::get_if<std::vector<double>>(&given.value)) {
    type = AttributeType::reals;
    for (const double each : *reals) message.add_float(attribute_field::floats, static_cast<float>(each));
  } else if (const auto* texts = std::get_if<std::vector<std::string>>(&given.value)) {
    type = AttributeType::texts;
    for (const std::string& each : *texts) add_text(message, attribute_field::strings, each);
  } else {
    for (const Index number : std::get<std::vector<Index>>(given.value))
      message.add_int64(attribute_field::ints, number);
  }
  message.add_enum(attribute_field::type, static_cast<std::int32_t>(type));
}

/// A valid name for a graph: control characters become underscores. Throws ValueError for a name that is not UTF-8,
/// which protocol buffer readers reject.
std::string legal(std::string_view wanted) {
  cornu::detail::require_utf8("name", wanted);
  std::string result(wanted);
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '_');
  return result.empty() ? "unnamed" : result;
}

}  // namespace

std::string Writer::unique_name(std::string_view wanted) {
  const std::string base = legal(wanted);
  std::string free = base;
  Index& number = taken_[base];  // the last number that was tried, so that many equal names take no quadratic time
  while (!names_.insert(free).second) free = base + "_" + std::to_string(++number);
  return free;
}

void Writer::node_of(std::string_view op, std::string_view domain, std::span<const std::string> inputs,
                     std::span<const std::string> outputs, std::span<const Given> attributes, std::string_view name) {
  pbf_writer graph(graph_);
  pbf_writer message(graph, graph_field::node);
  for (const std::string& input : inputs) message.add_string(node_field::input, input);
  for (const std::string& output : outputs) message.add_string(node_field::output, output);
  add_text(message, node_field::name, name);
  add_text(message, node_field::op_type, op);
  for (const Given& given : attributes) {
    pbf_writer attribute(message, node_field::attribute);
    add_attribute(attribute, given);
  }
  if (!domain.empty()) add_text(message, node_field::domain, domain);
}

std::string Writer::node(std::string_view op, std::span<const std::string> inputs, std::span<const Given> attributes,
                         std::string_view name) {
  std::string full = unique_name(std::string(name.empty() ? op : name) + "_" + std::to_string(count_++));
  node_of(op, "", inputs, std::span(&full, 1), attributes, full);
  return full;
}

std::string Writer::node(std::string_view op, std::initializer_list<std::string_view> inputs,
                         std::initializer_list<Given> attributes, std::string_view name) {
  const std::vector<std::string> from(inputs.begin(), inputs.end());
  return node(op, from, std::span(attributes.begin(), attributes.size()), name);
}

std::string Writer::initializer(std::string_view name, const Tensor& numbers) {
  pbf_writer graph(graph_);
  const Shape shape = numbers.shape();
  std::string free = unique_name(name);
  add_tensor<float>(graph, graph_field::initializer, free, shape.dimensions(), ElementType::float32, numbers);
  return free;
}

std::string Writer::initializer(std::string_view name, std::span<const Index> numbers) {
  pbf_writer graph(graph_);
  const auto size = static_cast<Index>(numbers.size());
  std::string free = unique_name(name);
  add_tensor<std::int64_t>(graph, graph_field::initializer, free, {&size, 1}, ElementType::int64, numbers);
  return free;
}

void Writer::value(std::uint32_t field, std::string_view name, std::span<const Index> shape, Kind kind) {
  pbf_writer graph(graph_);
  pbf_writer message(graph, field);
  add_text(message, value_field::name, name);
  pbf_writer type(message, value_field::type);
  pbf_writer tensor(type, type_field::tensor);
  const ElementType element = kind == Kind::real      ? ElementType::float32
                              : kind == Kind::integer ? ElementType::int64
                                                      : ElementType::boolean;
  tensor.add_enum(tensor_type_field::element, static_cast<std::int32_t>(element));
  pbf_writer dimensions(tensor, tensor_type_field::shape);
  for (const Index size : shape) {
    pbf_writer dimension(dimensions, shape_field::dimension);
    size == any ? dimension.add_string(dimension_field::parameter, "batch")
                : dimension.add_int64(dimension_field::value, size);
  }
}

void Writer::input(std::string_view name, std::span<const Index> shape, Kind kind) {
  value(graph_field::input, name, shape, kind);
}

void Writer::output(std::string_view name, std::span<const Index> shape, Kind kind) {
  value(graph_field::output, name, shape, kind);
}

void Writer::metadata(std::string_view key, std::string_view value) {
  pbf_writer model(metadata_);
  pbf_writer entry(model, model_field::metadata);
  add_text(entry, entry_field::key, key);
  add_text(entry, entry_field::value, value);
}

std::string Writer::finished(std::string_view graph_name, Index opset,
                             std::span<const std::pair<std::string, Index>> other_domains) const {
  std::string named, file;
  pbf_writer(named).add_string(graph_field::name, legal(graph_name));
  file.reserve(graph_.size() + named.size() + metadata_.size() + 1024);  // once: the graph holds all weights
  pbf_writer model(file);
  model.add_int64(model_field::ir_version, ir_version_of(opset));
  model.add_string(model_field::producer_name, "cornu");
  model.add_bytes_vectored(model_field::graph, graph_, named);
  const auto import = [&](std::string_view domain, Index version) {
    pbf_writer message(model, model_field::opset_import);
    add_text(message, opset_field::domain, domain);
    message.add_int64(opset_field::version, version);
  };
  import("", opset);
  for (const auto& [domain, version] : other_domains) import(domain, version);
  file += metadata_;
  return file;
}

}  // namespace cornu::onnx::detail
