// ONNX graphs for `cornu run`: arrays by name in and out.
#ifdef CORNU_HAS_ONNX

#include <algorithm>
#include <cstring>
#include <optional>

#include "cornu/core/error.h"
#include "cornu/onnx/model.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

namespace {

std::vector<std::string> names_of(const std::vector<onnx::Port>& ports) {
  std::vector<std::string> names;
  for (const onnx::Port& port : ports) names.push_back(port.name);
  return names;
}

bool fits(std::span<const Index> array, std::span<const Index> declared) {
  return std::equal(array.begin(), array.end(), declared.begin(), declared.end(),
                    [](Index a, Index d) { return d < 0 || a == d; });
}

/// An array and the passes that take a part of it: 0 if each pass takes all of it.
struct Feed {
  RawTensor array;
  Index passes = 0;

  /// What pass i takes.
  RawTensor part(Index i) const {
    RawTensor result = array;
    if (passes == 0) return result;
    result.bytes =
        array.bytes.subspan(array.bytes.size() / static_cast<std::size_t>(passes) * static_cast<std::size_t>(i),
                            array.bytes.size() / static_cast<std::size_t>(passes));
    return result;
  }
};

std::string pattern_text(const std::vector<Index>& declared) {
  std::string text = "(";
  for (std::size_t i = 0; i < declared.size(); ++i) {
    text += (i > 0 ? ", " : "") + (declared[i] < 0 ? std::string("any") : std::to_string(declared[i]));
  }
  return text + (declared.size() == 1 ? ",)" : ")");
}

/// `counts_samples`: the outputs begin with the same fixed axis as the inputs.
Feed feed_for(const onnx::Port& port, RawTensor array, bool counts_samples, const std::string& path) {
  if (!port.shape) return {std::move(array)};
  const std::vector<Index>& declared = *port.shape;
  const std::vector<Index> came = array.shape;
  if (fits(came, declared)) return {std::move(array)};
  const bool has_axes = !declared.empty();
  if (has_axes && (declared[0] == -1 || declared[0] == 1) && fits(came, std::span(declared).subspan(1))) {
    array.shape.insert(array.shape.begin(), 1);
    return {std::move(array)};
  }
  const bool is_open = has_axes && declared[0] < 0;
  if (!is_open && !came.empty() && came[0] > 0 && fits(std::span(came).subspan(1), declared)) {
    array.shape.erase(array.shape.begin());
    return {std::move(array), came[0]};
  }
  const Index batch = has_axes ? declared[0] : 0;
  const bool is_rest = batch > 0 && declared.size() > 1 && !came.empty() && came[0] > 0 &&
                       fits(std::span(came).subspan(1), std::span(declared).subspan(1)) &&
                       (counts_samples || batch == 1);
  if (is_rest && came[0] % batch == 0) {
    array.shape[0] = batch;
    return {std::move(array), came[0] / batch};
  }
  throw ValueError(message(
      "{}: input '{}' has shape {}, the array has {}{}", path, port.name, pattern_text(declared),
      to_string(std::span(came)),
      is_rest ? message("; the number of samples must be a multiple of {}, the model's batch size", batch) : ""));
}

/// An array for an input. Whole numbers stay what they are where the graph takes them.
onnx::Array array_for(const onnx::Port& port, const RawTensor& array) {
  if (port.type.find("float") != std::string::npos || port.type == "double") return to_tensor(array);
  onnx::Integers result{.shape = Shape(array.shape), .elements = {}};
  const auto copy = [&]<class T>(T number) {
    for (std::size_t at = 0; at < array.bytes.size(); at += sizeof number) {
      std::memcpy(&number, array.bytes.data() + at, sizeof number);
      result.elements.push_back(static_cast<std::int64_t>(number));
    }
  };
  switch (array.dtype) {
    case Dtype::i64:
      copy(std::int64_t{});
      break;
    case Dtype::i32:
      copy(std::int32_t{});
      break;
    case Dtype::i16:
      copy(std::int16_t{});
      break;
    case Dtype::i8:
      copy(std::int8_t{});
      break;
    case Dtype::u32:
      copy(std::uint32_t{});
      break;
    case Dtype::u16:
      copy(std::uint16_t{});
      break;
    case Dtype::u8:
    case Dtype::boolean:
      copy(std::uint8_t{});
      break;
    default:  // floats that are whole numbers
      return to_tensor(array);
  }
  return result;
}

GraphOutput output_of(const onnx::Port& port, const onnx::Array& array) {
  GraphOutput output{.name = port.name, .type = port.type, .shape = {}};
  if (const auto* const real = std::get_if<Tensor>(&array)) {
    output.shape = real->shape();
    output.is_real = true;
    output.real = *real;
  } else {
    const auto& whole = std::get<onnx::Integers>(array);
    output.shape = whole.shape;
    output.integers = whole.elements;
  }
  return output;
}

/// The outputs of all passes as one array.
class Joined {
 public:
  explicit Joined(bool along_first) : along_first_(along_first) {}

  void add(GraphOutput next, const std::string& path) {
    if (passes_++ == 0) {
      all_ = std::move(next);
      values_.assign(all_.real.data(), all_.real.data() + (all_.is_real ? all_.real.size() : 0));
      return;
    }
    require(next.shape == all_.shape,
            "{}: output '{}' has shape {} for sample 1 and {} for sample {}; run them one by one", path, next.name,
            all_.shape, next.shape, passes_);
    if (next.is_real) values_.insert(values_.end(), next.real.begin(), next.real.end());
    all_.integers.insert(all_.integers.end(), next.integers.begin(), next.integers.end());
  }

  GraphOutput result() {
    const bool joins = along_first_ && all_.shape.rank() > 0;
    all_.shape = joins ? all_.shape.sub(1).batched(all_.shape[0] * passes_) : all_.shape.batched(passes_);
    if (all_.is_real) all_.real = Tensor(all_.shape, values_);
    return std::move(all_);
  }

 private:
  bool along_first_;
  Index passes_ = 0;
  GraphOutput all_;
  std::vector<Real> values_;
};

}  // namespace

struct OnnxGraph::Content {
  std::string path;
  onnx::Model model;
};

OnnxGraph::OnnxGraph(const std::string& path) : content_(std::make_unique<Content>(Content{path, onnx::load(path)})) {}
OnnxGraph::~OnnxGraph() = default;

std::vector<std::string> OnnxGraph::input_names() const { return names_of(content_->model.inputs()); }
std::vector<std::string> OnnxGraph::output_names() const { return names_of(content_->model.outputs()); }

std::vector<GraphOutput> OnnxGraph::run(const std::map<std::string, RawTensor>& inputs) const {
  const auto& [path, model] = *content_;
  std::vector<DeclaredShape> shapes;
  for (const onnx::Port& port : model.inputs()) shapes.push_back(port.shape);
  /// True if an output counts samples, as the inputs do.
  const auto counts_samples = [&](const onnx::Port& port) {
    const auto batch = batch_of(shapes, port.shape);
    return batch && batch->kind == GraphBatch::Kind::fixed;
  };
  const bool all_count = std::all_of(model.outputs().begin(), model.outputs().end(), counts_samples);
  std::map<std::string, Feed> feeds;
  Index passes = 0;
  std::string first;
  for (const onnx::Port& port : model.inputs()) {
    const auto found = inputs.find(port.name);
    if (found == inputs.end()) continue;
    const Feed& feed = feeds.emplace(port.name, feed_for(port, found->second, all_count, path)).first->second;
    if (feed.passes == 0) continue;
    require<ValueError>(passes == 0 || passes == feed.passes, "{}: input '{}' has {} samples, input '{}' has {}", path,
                        first, passes, port.name, feed.passes);
    passes = feed.passes;
    first = port.name;
  }
  std::vector<Joined> joined;
  for (const onnx::Port& port : model.outputs()) joined.emplace_back(counts_samples(port));
  std::vector<GraphOutput> result;
  for (Index pass = 0; pass < std::max<Index>(passes, 1); ++pass) {
    std::map<std::string, onnx::Array> arrays;
    for (const onnx::Port& port : model.inputs()) {
      const auto feed = feeds.find(port.name);
      if (feed != feeds.end()) arrays.emplace(port.name, array_for(port, feed->second.part(pass)));
    }
    const std::map<std::string, onnx::Array> made = model.run_exact(arrays);
    for (std::size_t i = 0; i < joined.size(); ++i) {
      const onnx::Port& port = model.outputs()[i];
      GraphOutput output = output_of(port, made.at(port.name));
      if (passes == 0) {
        result.push_back(std::move(output));
      } else {
        joined[i].add(std::move(output), path);
      }
    }
  }
  if (passes > 0) {
    for (Joined& each : joined) result.push_back(each.result());
  }
  return result;
}

}  // namespace cornu::tool

#endif
