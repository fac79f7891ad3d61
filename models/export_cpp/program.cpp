#include "cornu/models/export_cpp/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/models/export_cpp/kernels.h"

namespace cornu::detail {

CppProgram::CppProgram(const ExportCppOptions& options, Index input) : options_(options), sizes_{input} {}

CppValue CppProgram::make(const Shape& shape) {
  sizes_.push_back(shape.size());
  return {sizes_.size() - 1, shape, 0};
}

void CppProgram::call(std::string_view name, std::string_view templates, const std::vector<CppArgument>& arguments,
                      const CppValue& result, const std::string& layer) {
  need(name);
  const CppKernel* const kernel = find_cpp_kernel(name);
  calls_.push_back({templates.empty() ? std::string(name) : fmt::format("{}<{}>", name, templates), layer, arguments,
                    result, kernel != nullptr && kernel->may_overwrite});
}

void CppProgram::define(std::string name, std::string text) {
  const auto known =
      std::find_if(functions_.begin(), functions_.end(), [&](const auto& each) { return each.first == name; });
  require<ValueError>(find_cpp_kernel(name) == nullptr && (known == functions_.end() || known->second == text),
                      "there is another function {}", name);
  if (known == functions_.end()) functions_.emplace_back(std::move(name), std::move(text));
}

void CppProgram::need(std::string_view kernel) {
  for (const auto& [name, text] : functions_) {
    if (name == kernel) return;
  }
  const CppKernel* const own = find_cpp_kernel(kernel);
  require<ValueError>(own != nullptr, "there is no function {}", kernel);
  for (const std::string_view other : own->needs) {
    if (!other.empty()) need(other);
  }
  functions_.emplace_back(kernel, own->text);
}

std::string in_comment(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return name;
}

// ---- Arrays ----

namespace {

/// The shortest decimal number that reads back as the same bits.
std::string literal(float number) {
  if (std::isinf(number)) return number > 0 ? "INFINITY" : "-INFINITY";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

}  // namespace

std::string CppProgram::free_name(const std::string& name) {
  // The prefix avoids the names of kernels and leading digits. Double underscores are reserved.
  std::string base = "w_";
  for (const char c : name) {
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

float CppProgram::finite(const std::string& name, double number) {
  const auto result = static_cast<float>(number);
  require<ValueError>(std::isfinite(result), "{} has a value that is not finite{}", name,
                      std::isfinite(number) ? " as a float" : "");
  return result;
}

std::string CppProgram::number(const std::string& name, double value) const { return literal(finite(name, value)); }

std::string CppProgram::array(const std::string& name, const Tensor& numbers, bool allows_infinity) {
  return write_array("float", name, 4, static_cast<std::size_t>(numbers.size()), [&](std::size_t i) {
    const double number = static_cast<double>(numbers[static_cast<Index>(i)]);
    return allows_infinity && std::isinf(number) ? literal(static_cast<float>(number))
                                                 : CppProgram::number(name, number);
  });
}

std::string CppProgram::weights(const std::string& name, const Tensor& kernel, Index outputs) {
  const std::span<const Real> numbers(kernel.data(), static_cast<std::size_t>(kernel.size()));
  if (!options_.int8_weights) return array(name, kernel) + ", nullptr";
  const auto count = static_cast<std::size_t>(outputs);
  Tensor scales(Shape{outputs});
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    Real& scale = scales[static_cast<Index>(i % count)];
    scale = std::max<Real>(scale, std::abs(finite(name, numbers[i])) / 127);
  }
  const auto rounded = [&](std::size_t i) {
    const Real scale = scales[static_cast<Index>(i % count)];
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
  const auto each_value = [](const Call& call, const auto& f) {
    for (const CppArgument& argument : call.arguments) {
      if (argument.value) f(*argument.value);
    }
    f(call.result);
  };
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    each_value(calls_[now], [&](const CppValue& value) { last[value.number] = now; });
  }
  // A value that the call reads last, as a whole, and nowhere else in part.
  const auto is_given_up = [&](const Call& call, std::size_t now, const CppArgument& argument) {
    if (!argument.value || argument.value->number == 0 || last[argument.value->number] != now) return false;
    return std::all_of(call.arguments.begin(), call.arguments.end(), [&](const CppArgument& other) {
      return !other.value || other.value->number != argument.value->number ||
             (other.value->offset == 0 && other.value->shape.size() == sizes_[call.result.number] &&
              sizes_[other.value->number] == sizes_[call.result.number]);
    });
  };
  for (std::size_t now = 0; now < calls_.size(); ++now) {
    const Call& call = calls_[now];
    const std::size_t result = call.result.number;
    const auto taken = std::find_if(call.arguments.begin(), call.arguments.end(),
                                    [&](const CppArgument& argument) { return is_given_up(call, now, argument); });
    if (!call.may_overwrite || taken == call.arguments.end()) continue;
    places[result].home = places[taken->value->number].home;
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
    each_value(calls_[now], [&](const CppValue& value) { place_at(now, value); });
  }
  return workspace;
}

// ---- Text ----

std::string CppProgram::text(const std::string& about, const CppValue& result) const {
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
      "{}//\n// Weights: {} bytes. Workspace: {} bytes.\n"
      "#pragma once\n\n#include <cmath>\n#include <cstddef>\n#include <cstdint>\n#include <type_traits>\n\nnamespace "
      "{} {{\n\n"
      "// Elements of a sample.\n"
      "inline constexpr std::size_t input_size = {}, output_size = {};\n\n"
      "// Scratch memory of a prediction. Each thread needs its own.\n"
      "struct Workspace {{\n  float memory[{}];\n}};\n\nnamespace detail {{\n\nusing size = std::size_t;\n",
      about, weight_bytes_, 4 * workspace, options_.name, sizes_[0], result.shape.size(),
      std::max(workspace, Index{1}));
  for (const auto& [function, function_text] : functions_) text += function_text;
  std::string end =
      "\n}  // namespace detail\n\ninline void predict(const float* input, float* output, Workspace& workspace) {\n";
  if (workspace == 0) end += "  static_cast<void>(workspace);\n";
  const std::string* layer = nullptr;
  for (const Call& call : calls_) {
    if ((layer == nullptr || *layer != call.layer) && !call.layer.empty()) {
      // A backslash at the end would make the next line part of the comment.
      end += "  // " + in_comment(call.layer) + (call.layer.ends_with('\\') ? ".\n" : "\n");
    }
    layer = &call.layer;
    end += "  detail::" + call.function + "(";
    for (const CppArgument& argument : call.arguments) {
      end += (argument.value ? name(*argument.value) : "") + argument.text + ", ";
    }
    end += name(call.result) + ");\n";
  }
  end +=
      "}\n\ninline void predict(const float* input, float* output) {\n  Workspace workspace;\n"
      "  predict(input, output, workspace);\n}\n\n"
      "// `count` samples, one after the other.\n"
      "inline void predict(const float* input, float* output, std::size_t count, Workspace& workspace) {\n"
      "  for (; count > 0; --count, input += input_size, output += output_size) predict(input, output, workspace);\n"
      "}\n\n}  // namespace " +
      options_.name + "\n";
  text.reserve(text.size() + 1 + arrays_.size() + end.size());  // the weights are copied once
  text.append("\n").append(arrays_).append(end);
  return text;
}

}  // namespace cornu::detail
