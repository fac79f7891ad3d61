#include "cornu/models/export_cpp.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/window.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/layers/average_pooling2d.h"
#include "cornu/layers/conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/dropout.h"
#include "cornu/layers/flatten.h"
#include "cornu/layers/global_average_pooling2d.h"
#include "cornu/layers/input.h"
#include "cornu/layers/max_pooling2d.h"
#include "cornu/layers/reshape.h"
#include "cornu/models/export_cpp_kernels.h"
#include "cornu/models/sequential.h"

namespace cornu {

namespace {

/// The predictor while it is put together: calls, each of which makes one value of others, and the arrays they read.
class Program {
 public:
  /// What a call made; 0 is the model's input.
  struct Value {
    std::size_t number = 0;
    Shape shape;
  };

  explicit Program(const ExportCppOptions& options) : options_(options) {}

  Value input(const Shape& shape) {
    values_.push_back({shape.size()});
    return {0, shape};
  }
  /// `kernel<templates>(inputs..., arguments, result)`, and the result, of this shape.
  Value call(std::string_view kernel, const std::string& templates, std::span<const Value> inputs,
             const std::string& arguments, const Shape& shape) {
    values_.push_back({shape.size()});
    const Value result{values_.size() - 1, shape};
    append(kernel, templates, inputs, arguments, result);
    return result;
  }
  /// The same, made where its input is.
  Value call_in_place(std::string_view kernel, const std::string& templates, const Value& value,
                      const std::string& arguments) {
    if (value.number == 0) return call(kernel, templates, {&value, 1}, arguments, value.shape);
    append(kernel, templates, {&value, 1}, arguments, value);
    return value;
  }
  void need(std::string_view kernel) {
    if (std::find(kernels_.begin(), kernels_.end(), kernel) == kernels_.end()) kernels_.emplace_back(kernel);
  }

  /// Inside of this layer, whose name goes before those of arrays.
  void enter(const std::string& layer) { path_.push_back(layer); }
  void leave() { path_.pop_back(); }
  /// "block/dense".
  std::string path() const { return fmt::format("{}", fmt::join(path_, "/")); }

  /// An array of constants, by its name.
  std::string array(const std::string& what, std::span<const Real> numbers) {
    std::string name = free_name(what);
    std::vector<std::string> texts;
    for (const Real number : numbers) texts.push_back(text_of(number, what));
    write_array("float", name, texts);
    return name;
  }
  /// A kernel whose last axis is that of the outputs: its own name and that of the factors, "nullptr" for none.
  std::pair<std::string, std::string> weights(const std::string& what, const Tensor& kernel) {
    if (!options_.int8_weights) return {array(what, {kernel.data(), kernel.begin() + kernel.size()}), "nullptr"};
    const auto outputs = static_cast<std::size_t>(kernel.shape()[-1]);
    std::vector<Real> scales(outputs);
    for (std::size_t i = 0; i < static_cast<std::size_t>(kernel.size()); ++i) {
      scales[i % outputs] = std::max(scales[i % outputs], std::abs(kernel.data()[i]) / 127);
    }
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < static_cast<std::size_t>(kernel.size()); ++i) {
      const Real scale = scales[i % outputs], number = kernel.data()[i];
      text_of(number, what);  // for its check
      texts.push_back(std::to_string(scale > 0 ? static_cast<int>(std::lround(number / scale)) : 0));
    }
    std::string name = free_name(what);
    write_array("std::int8_t", name, texts);
    return {name, array(what + "_scale", scales)};
  }

  std::string text(const Sequential& model, const Value& result) const;

 private:
  struct Memory {
    Index size = 0;
    std::size_t last_read = 0;  // the call
    Index offset = 0;
  };
  struct Call {
    std::string function, arguments;
    std::vector<std::size_t> inputs;
    std::size_t result;
  };

  void append(std::string_view kernel, const std::string& templates, std::span<const Value> inputs,
              const std::string& arguments, const Value& result) {
    need(kernel);
    Call call{fmt::format("{}<{}>", kernel, templates), arguments, {}, result.number};
    for (const Value& input : inputs) {
      call.inputs.push_back(input.number);
      values_[input.number].last_read = calls_.size();
    }
    calls_.push_back(std::move(call));
  }

  std::string free_name(const std::string& what) {
    std::string base;
    for (const std::string& layer : path_) base += layer + "_";
    base += what;
    for (char& c : base) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
    }
    std::string name = base;
    for (int number = 1; !names_.insert(name).second; ++number) name = fmt::format("{}_{}", base, number);
    return name;
  }

  std::string text_of(Real number, const std::string& what) const {
    require<ValueError>(std::isfinite(number), "export_cpp: {}/{} has a number that is not finite", path(), what);
    std::string text = fmt::format("{}", static_cast<float>(number));
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text + "f";
  }

  void write_array(const char* type, const std::string& name, const std::vector<std::string>& texts) {
    arrays_ += fmt::format("inline constexpr {} {}[{}] = {{", type, name, texts.size());
    std::string line;
    for (const std::string& text : texts) {
      if (line.empty() || line.size() + text.size() > 116) {
        arrays_ += line + "\n   ";
        line.clear();
      }
      line += " " + text + ",";
    }
    arrays_ += line + "\n};\n";
  }

  /// Gives every value a place in the workspace that no other value has while it is still read; returns its size.
  Index place(std::vector<Memory>& values, std::size_t result) const;

  const ExportCppOptions& options_;
  std::vector<Memory> values_;
  std::vector<Call> calls_;
  std::vector<std::string> kernels_, path_;
  std::set<std::string> names_;
  std::string arrays_;
};

Index Program::place(std::vector<Memory>& values, std::size_t result) const {
  struct Span {
    Index begin, end;
    std::size_t last_read;
  };
  std::vector<Span> taken;
  Index workspace = 0;
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    const std::size_t made = calls_[now].result;
    const bool is_new = std::none_of(calls_.begin(), calls_.begin() + static_cast<std::ptrdiff_t>(now),
                                     [&](const Call& earlier) { return earlier.result == made; });
    if (!is_new || made == result) continue;
    std::erase_if(taken, [&](const Span& span) { return span.last_read < now; });
    std::sort(taken.begin(), taken.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
    Index offset = 0;
    for (const Span& span : taken) {
      if (offset + values[made].size <= span.begin) break;
      offset = span.end;
    }
    values[made].offset = offset;
    taken.push_back({offset, offset + values[made].size, values[made].last_read});
    workspace = std::max(workspace, offset + values[made].size);
  }
  return workspace;
}

std::string Program::text(const Sequential& model, const Value& result) const {
  std::vector<Memory> values = values_;
  const Index workspace = place(values, result.number);
  const auto name = [&](std::size_t value) {
    return value == 0               ? std::string("input")
           : value == result.number ? std::string("output")
                                    : fmt::format("workspace.memory + {}", values[value].offset);
  };
  std::string text = fmt::format(
      "// Predicts as \"{}\" does: made by Cornu, not to be edited. C++17, without exceptions or a heap.\n"
      "#pragma once\n\n#include <cmath>\n#include <cstddef>\n#include <cstdint>\n\nnamespace {} {{\n\n"
      "// A sample of shape {} goes in, one of shape {} comes out.\n"
      "inline constexpr std::size_t input_size = {}, output_size = {};\n\n"
      "// What a prediction writes to beside its output; each thread needs one of its own.\n"
      "struct Workspace {{\n  float memory[{}];\n}};\n\nnamespace detail {{\n\nusing size = std::size_t;\n",
      model.name(), options_.name, to_string(*model.input_shape()), to_string(result.shape), values[0].size,
      result.shape.size(), std::max(workspace, Index{1}));
  for (const std::string& kernel : kernels_) text += detail::cpp_kernel(kernel);
  text += "\n" + arrays_ + "\n}  // namespace detail\n\n" +
          "inline void predict(const float* input, float* output, Workspace& workspace) {\n";
  if (workspace == 0) text += "  static_cast<void>(workspace);\n";
  for (const Call& call : calls_) {
    text += "  detail::" + call.function + "(";
    for (const std::size_t input : call.inputs) text += name(input) + ", ";
    text += (call.arguments.empty() ? "" : call.arguments + ", ") + name(call.result) + ");\n";
  }
  return text +
         "}\n\ninline void predict(const float* input, float* output) {\n  Workspace workspace;\n"
         "  predict(input, output, workspace);\n}\n\n}  // namespace " +
         options_.name + "\n";
}

using Value = Program::Value;

// ---- Layers ----

/// y = f(x), number by number, with f as text. In place: x is nobody else's.
Value each(Program& program, const Value& x, const char* f, bool in_place) {
  const std::string n = fmt::format("{}", x.shape.size()), function = fmt::format("[](float v) {{ return {}; }}", f);
  return in_place ? program.call_in_place("each", n, x, function) : program.call("each", n, {&x, 1}, function, x.shape);
}

Value softmax_of(Program& program, const Value& x, Index axis, bool in_place) {
  Index outer = 1, inner = 1;
  for (Index i = 0; i < axis; ++i) outer *= x.shape[i];
  for (Index i = axis + 1; i < x.shape.rank(); ++i) inner *= x.shape[i];
  const std::string n = fmt::format("{}, {}, {}", outer, x.shape[axis], inner);
  return in_place ? program.call_in_place("softmax", n, x, "") : program.call("softmax", n, {&x, 1}, "", x.shape);
}

Value activated(Program& program, const Value& x, const Activation& activation, bool in_place) {
  static const std::pair<Activation::Function, const char*> functions[] = {
      {relu, "v < 0.0f ? 0.0f : v"},
      {sigmoid, "1.0f / (1.0f + std::exp(-v))"},
      {tanh, "std::tanh(v)"},
      {exp, "std::exp(v)"},
  };
  const Activation::Function f = activation.function();
  if (f == static_cast<Activation::Function>(linear)) return x;
  if (f == static_cast<Activation::Function>(softmax)) return softmax_of(program, x, x.shape.rank() - 1, in_place);
  for (const auto& [function, text] : functions) {
    if (f == function) return each(program, x, text, in_place);
  }
  throw ValueError(message("export_cpp: {}: there is no text for its activation", program.path()));
}

std::string axis_text(const WindowAxis& axis) {
  return fmt::format("detail::Axis{{{}, {}, {}, {}, {}, {}}}", axis.in, axis.out, axis.taps, axis.stride, axis.dilation,
                     axis.before);
}

std::string bias_of(Program& program, bool use_bias, const Parameter& bias) {
  return use_bias ? "detail::" + program.array("bias", {bias.value.data(), bias.value.begin() + bias.value.size()})
                  : "nullptr";
}

std::string in_detail(const std::string& name) { return name == "nullptr" ? name : "detail::" + name; }

Value dense(Program& program, const Dense& layer, const Value& x) {
  const Shape &kernel = layer.kernel.shape(), shape = x.shape.with(x.shape.rank() - 1, kernel[1]);
  const auto [w, scale] = program.weights("kernel", layer.kernel.value);
  const Value y = program.call(
      "dense", fmt::format("{}, {}, {}", x.shape.size() / kernel[0], kernel[0], kernel[1]), {&x, 1},
      fmt::format("{}, {}, {}", in_detail(w), in_detail(scale), bias_of(program, layer.use_bias, layer.bias)), shape);
  return activated(program, y, layer.activation, true);
}

Value convolution(Program& program, const Conv2D& layer, const Value& x) {
  const Shape& kernel = layer.kernel.shape();
  const Window window("export_cpp", x.shape.batched(1), layer.kernel_size, layer.strides, layer.dilation_rate,
                      layer.padding);
  const auto [w, scale] = program.weights("kernel", layer.kernel.value);
  const Value y = program.call("convolve", fmt::format("{}, {}, {}", x.shape[2], kernel[3], layer.groups), {&x, 1},
                               fmt::format("{}, {}, {}, {}, {}", axis_text(window.y), axis_text(window.x), in_detail(w),
                                           in_detail(scale), bias_of(program, layer.use_bias, layer.bias)),
                               window.result(kernel[3]).sub(1));
  return activated(program, y, layer.activation, true);
}

template <class Pooling>
Value pooling(Program& program, const Pooling& layer, const Value& x, bool maximum) {
  const Window window("export_cpp", x.shape.batched(1), layer.pool_size, {layer.strides, layer.padding});
  program.need("convolve");  // for its Axis
  return program.call("pool", fmt::format("{}, {}", x.shape[2], maximum), {&x, 1},
                      fmt::format("{}, {}", axis_text(window.y), axis_text(window.x)),
                      window.result(x.shape[2]).sub(1));
}

Value global_mean(Program& program, const GlobalAveragePooling2D& layer, const Value& x) {
  const Index channels = x.shape[2];
  return program.call("global_mean", fmt::format("{}, {}", x.shape.size() / channels, channels), {&x, 1}, "",
                      layer.keepdims ? Shape{1, 1, channels} : Shape{channels});
}

Value chain(Program& program, const Sequential& model, Value x);

/// What the layer makes of x.
Value apply(Program& program, const AnyLayer& any, const Value& x, const Shape& made) {
  if (const auto* layer = any.as<Dense>()) return dense(program, *layer, x);
  if (const auto* layer = any.as<Conv2D>()) return convolution(program, *layer, x);
  if (const auto* layer = any.as<MaxPooling2D>()) return pooling(program, *layer, x, true);
  if (const auto* layer = any.as<AveragePooling2D>()) return pooling(program, *layer, x, false);
  if (const auto* layer = any.as<GlobalAveragePooling2D>()) return global_mean(program, *layer, x);
  if (const auto* layer = any.as<Activation>()) return activated(program, x, *layer, false);
  if (any.as<ReLU>() != nullptr) return activated(program, x, relu, false);
  if (any.as<Sigmoid>() != nullptr) return activated(program, x, sigmoid, false);
  if (any.as<Tanh>() != nullptr) return activated(program, x, tanh, false);
  if (const auto* layer = any.as<Softmax>()) {
    return softmax_of(program, x, layer->axis > 0 ? layer->axis - 1 : layer->axis + x.shape.rank(), false);
  }
  if (any.as<Flatten>() != nullptr || any.as<Reshape>() != nullptr || any.as<Input>() != nullptr ||
      any.as<Dropout>() != nullptr) {
    return {x.number, made};
  }
  if (const auto* model = any.as<Sequential>()) return chain(program, *model, x);
  throw ValueError(message("export_cpp: {} is a {}; there is no text for it", program.path(), std::string(any.type())));
}

Value chain(Program& program, const Sequential& model, Value x) {
  for (Index i = 0; i < model.layer_count(); ++i) {
    const AnyLayer& layer = model.get_layer(i);
    program.enter(layer.name());
    x = apply(program, layer, x, model.output_shape(i));
    program.leave();
  }
  return x;
}

}  // namespace

std::string to_cpp(const Sequential& model, const ExportCppOptions& options) {
  require<StateError>(model.built(), "{}: export_cpp: not built yet, so there are no weights", model.name());
  const auto is_letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  require<ValueError>(!options.name.empty() && is_letter(options.name.front()) &&
                          std::all_of(options.name.begin(), options.name.end(),
                                      [&](char c) { return is_letter(c) || ('0' <= c && c <= '9'); }),
                      "export_cpp: name is \"{}\"; a namespace is required", options.name);
  Program program(options);
  const Value input = program.input(*model.input_shape());
  Value output = chain(program, model, input);
  if (output.number == 0) output = {each(program, output, "v", false).number, output.shape};
  return program.text(model, output);
}

void Sequential::export_cpp(const std::filesystem::path& path, const ExportCppOptions& options) const {
  const std::string text = to_cpp(*this, options);
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace cornu
