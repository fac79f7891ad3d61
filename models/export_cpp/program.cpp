#include "cornu/models/export_cpp/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/models/export_cpp/kernels.h"

namespace cornu::detail {

CppProgram::CppProgram(const ExportCppOptions& options, const Shape& input)
    : options_(options), input_(input), sizes_{input.size()} {}

CppValue CppProgram::make(const Shape& shape) {
  sizes_.push_back(shape.size());
  return {sizes_.size() - 1, shape};
}

void CppProgram::call(std::string_view kernel, std::string_view templates, std::span<const CppValue> inputs,
                      std::string_view arguments, const CppValue& result) {
  need(kernel);
  calls_.push_back({fmt::format("{}<{}>", kernel, templates),
                    std::string(arguments),
                    {inputs.begin(), inputs.end()},
                    result,
                    cpp_kernel(kernel).may_overwrite});
}

void CppProgram::need(std::string_view kernel) {
  if (std::find(kernels_.begin(), kernels_.end(), kernel) != kernels_.end()) return;
  for (const std::string_view other : cpp_kernel(kernel).needs) {
    if (!other.empty()) need(other);
  }
  kernels_.emplace_back(kernel);
}

std::string CppProgram::path() const { return fmt::format("{}", fmt::join(path_, "/")); }

namespace {

/// A name on one line, for a comment.
std::string in_comment(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return name;
}

}  // namespace

void CppProgram::describe(std::string_view type, const Shape& made) {
  layers_ += fmt::format("//   {:<40} {}\n", fmt::format("{} ({})", in_comment(path()), type), to_string(made));
}

// ---- Arrays ----

namespace {

/// The shortest decimal number that reads back as the same bits.
std::string literal(float number) {
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

}  // namespace

std::string CppProgram::free_name(const std::string& name) {
  // The prefix avoids the names of kernels and leading digits. Double underscores are reserved.
  std::string base = "w_";
  for (const char c : fmt::format("{}_{}", fmt::join(path_, "_"), name)) {
    if (is_cpp_letter(c) || is_cpp_digit(c)) {
      base += c;
    } else if (base.back() != '_') {
      base += '_';
    }
  }
  std::string free = base;
  for (int number = 1; !names_.insert(free).second; ++number) free = fmt::format("{}_{}", base, number);
  return free;
}

std::string CppProgram::write_array(std::string_view type, const std::string& name, Index bytes, std::size_t count,
                                    const std::function<std::string(std::size_t)>& text_of) {
  const std::string free = free_name(name);
  weight_bytes_ += bytes * static_cast<Index>(count);
  arrays_ += fmt::format("inline constexpr {} {}[{}] = {{", type, free, count);
  std::string line;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = text_of(i);
    if (line.empty() || line.size() + text.size() > 116) {
      arrays_ += line + "\n   ";
      line.clear();
    }
    line += " " + text + ",";
  }
  arrays_ += line + "\n};\n";
  return "detail::" + free;
}

float CppProgram::finite(const std::string& name, double number) const {
  const auto result = static_cast<float>(number);
  require<ValueError>(std::isfinite(result), "export_cpp: {}/{} has a value that is not finite{}", path(), name,
                      std::isfinite(number) ? " as a float" : "");
  return result;
}

std::string CppProgram::number(const std::string& name, double value) const { return literal(finite(name, value)); }

std::string CppProgram::array(const std::string& name, std::span<const Real> numbers) {
  return write_array("float", name, 4, numbers.size(), [&](std::size_t i) { return number(name, numbers[i]); });
}

std::string CppProgram::weights(const std::string& name, const Tensor& kernel, Index outputs) {
  const std::span<const Real> numbers(kernel.data(), static_cast<std::size_t>(kernel.size()));
  if (!options_.int8_weights) return array(name, numbers) + ", nullptr";
  const auto count = static_cast<std::size_t>(outputs);
  std::vector<Real> scales(count);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    scales[i % count] = std::max<Real>(scales[i % count], std::abs(finite(name, numbers[i])) / 127);
  }
  const auto rounded = [&](std::size_t i) {
    const Real scale = scales[i % count];
    return std::to_string(scale > 0 ? std::lround(numbers[i] / scale) : 0);
  };
  const std::string elements = write_array("std::int8_t", name, 1, numbers.size(), rounded);
  return elements + ", " + array(name + "_scale", scales);
}

// ---- Memory ----

Index CppProgram::place(std::vector<Place>& places, std::size_t output) const {
  places.resize(sizes_.size());
  for (std::size_t value = 0; value < places.size(); ++value) places[value].home = value;
  std::vector<std::size_t> last(sizes_.size());  // the last call that reads or writes the value
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    for (const CppValue& input : calls_[now].inputs) last[input.number] = now;
    last[calls_[now].result.number] = now;
  }
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    const Call& call = calls_[now];
    const std::size_t result = call.result.number;
    const auto given_up = std::find_if(call.inputs.begin(), call.inputs.end(), [&](const CppValue& input) {
      return input.number != 0 && last[input.number] == now && sizes_[input.number] == sizes_[result];
    });
    if (!call.may_overwrite || given_up == call.inputs.end()) continue;
    places[result].home = places[given_up->number].home;
    last[places[result].home] = last[result];
  }

  struct Taken {
    Index begin, end;
    std::size_t last;
  };
  std::vector<Taken> taken;
  std::vector<bool> placed(sizes_.size());
  placed[0] = placed[places[output].home] = true;
  Index workspace = 0;
  const auto place_at = [&](std::size_t now, const CppValue& value) {
    const std::size_t home = places[value.number].home;
    if (placed[home]) return;
    placed[home] = true;
    std::erase_if(taken, [&](const Taken& each) { return each.last < now; });
    std::sort(taken.begin(), taken.end(), [](const Taken& a, const Taken& b) { return a.begin < b.begin; });
    Index offset = 0;
    for (const Taken& each : taken) {
      if (offset + sizes_[home] <= each.begin) break;
      offset = each.end;
    }
    places[home].offset = offset;
    taken.push_back({offset, offset + sizes_[home], last[home]});
    workspace = std::max(workspace, offset + sizes_[home]);
  };
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    for (const CppValue& input : calls_[now].inputs) place_at(now, input);
    place_at(now, calls_[now].result);
  }
  return workspace;
}

// ---- Text ----

std::string CppProgram::text(const std::string& model, const CppValue& result) const {
  std::vector<Place> places;
  const Index workspace = place(places, result.number);
  const auto name = [&](const CppValue& value) {
    const std::size_t home = places[value.number].home;
    const bool is_output = home == places[result.number].home;
    const Index offset = value.offset + (home == 0 || is_output ? 0 : places[home].offset);
    const char* const memory = home == 0 ? "input" : is_output ? "output" : "workspace.memory";
    return offset == 0 ? std::string(memory) : fmt::format("{} + {}", memory, offset);
  };
  std::string text = fmt::format(
      "// Predictor for the model \"{}\", generated by Cornu; do not edit. C++17, without exceptions or a heap.\n"
      "//\n//   {:<40} {}\n{}//\n// Weights: {} bytes. Workspace: {} bytes.\n"
      "#pragma once\n\n#include <cmath>\n#include <cstddef>\n#include <cstdint>\n#include <type_traits>\n\nnamespace "
      "{} {{\n\n"
      "// Shapes of a sample: input {}, output {}.\n"
      "inline constexpr std::size_t input_size = {}, output_size = {};\n\n"
      "// Scratch memory of a prediction. Each thread needs its own.\n"
      "struct Workspace {{\n  float memory[{}];\n}};\n\nnamespace detail {{\n\nusing size = std::size_t;\n",
      in_comment(model), "input", to_string(input_), layers_, weight_bytes_, 4 * workspace, options_.name,
      to_string(input_), to_string(result.shape), input_.size(), result.shape.size(), std::max(workspace, Index{1}));
  for (const std::string& kernel : kernels_) text += cpp_kernel(kernel).text;
  std::string end =
      "\n}  // namespace detail\n\ninline void predict(const float* input, float* output, Workspace& workspace) {\n";
  if (workspace == 0) end += "  static_cast<void>(workspace);\n";
  for (const Call& call : calls_) {
    end += "  detail::" + call.function + "(";
    for (const CppValue& input : call.inputs) end += name(input) + ", ";
    end += (call.arguments.empty() ? "" : call.arguments + ", ") + name(call.result) + ");\n";
  }
  end +=
      "}\n\ninline void predict(const float* input, float* output) {\n  Workspace workspace;\n"
      "  predict(input, output, workspace);\n}\n\n}  // namespace " +
      options_.name + "\n";
  text.reserve(text.size() + 1 + arrays_.size() + end.size());  // the weights are copied once
  text.append("\n").append(arrays_).append(end);
  return text;
}

}  // namespace cornu::detail
