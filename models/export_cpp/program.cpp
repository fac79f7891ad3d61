#include "cornu/models/export_cpp/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/models/export_cpp/kernels.h"

namespace cornu::detail {

void CppProgram::define(std::string name, std::string text) {
  const auto known =
      std::find_if(functions_.begin(), functions_.end(), [&](const auto& each) { return each.first == name; });
  require<ValueError>(!is_cpp_kernel_name(name) && (known == functions_.end() || known->second == text),
                      "there is another function {}", name);
  if (known == functions_.end()) functions_.emplace_back(std::move(name), std::move(text));
}

bool CppProgram::need(std::string_view name) {
  const CppKernel* const own = find_cpp_kernel(name);
  const bool is_there =
      std::any_of(functions_.begin(), functions_.end(), [&](const auto& each) { return each.first == name; });
  require<ValueError>(is_there || own != nullptr, "there is no function {}", name);
  if (!is_there) {
    for (const std::string_view other : own->needs) {
      if (!other.empty()) need(other);
    }
    functions_.emplace_back(name, own->text);
  }
  return own != nullptr && own->may_overwrite;
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
  Array array{std::string(type), name, {}, fmt::format("[{}] = {{", count)};
  std::string line;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = text_of(i);
    if (line.empty() || line.size() + text.size() > 116) {
      array.elements += line + "\n   ";
      line.clear();
    }
    line += " " + text + ",";
  }
  array.elements += line + "\n};\n";
  // Weights that a layer's calls or a rewrite have copied are written once.
  const auto known = std::find_if(arrays_.begin(), arrays_.end(), [&](const Array& each) {
    return each.type == array.type && each.name == name && each.elements == array.elements;
  });
  if (known != arrays_.end()) return "detail::" + known->identifier;
  array.identifier = free_name(name);
  weight_bytes_ += bytes * static_cast<Index>(count);
  arrays_.push_back(std::move(array));
  return "detail::" + arrays_.back().identifier;
}

float CppProgram::finite(const std::string& name, double number) {
  const auto result = static_cast<float>(number);
  require<ValueError>(std::isfinite(result), "{} has a value that is not finite{}", name,
                      std::isfinite(number) ? " as a float" : "");
  return result;
}

std::string CppProgram::number(const std::string& name, double value) { return literal(finite(name, value)); }

std::string CppProgram::array(const std::string& name, const Tensor& numbers, bool allows_infinity) {
  return write_array("float", name, 4, static_cast<std::size_t>(numbers.size()), [&](std::size_t i) {
    const auto number = static_cast<double>(numbers[static_cast<Index>(i)]);
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
    // A scale below the normal numbers is inexact.
    return std::to_string(scale > 0 ? std::clamp(std::lround(numbers[i] / scale), -127L, 127L) : 0);
  };
  const std::string elements = write_array("std::int8_t", name, 1, numbers.size(), rounded);
  return elements + ", " + array(name + "_scale", scales);
}

// ---- Text ----

std::string CppProgram::text(const std::string& about, const std::string& declarations,
                             const std::string& functions) const {
  std::string text = about;
  text +=
      "#pragma once\n\n#include <cmath>\n#include <cstddef>\n#include <cstdint>\n#include <cstring>\n#include "
      "<type_traits>\n\n";
  text += "namespace " + options_.name + " {\n\n" + declarations;
  text += "\nnamespace detail {\n\nusing size = std::size_t;\n";
  for (const auto& [name, function] : functions_) text += function;
  const std::string end = "\n}  // namespace detail\n\n" + functions + "\n}  // namespace " + options_.name + "\n";
  std::size_t size = text.size() + 1 + end.size();
  for (const Array& array : arrays_) size += array.identifier.size() + array.elements.size() + 32;
  text.reserve(size);  // the weights are copied once
  text += "\n";
  for (const Array& array : arrays_) {
    text.append("inline constexpr ").append(array.type).append(" ").append(array.identifier).append(array.elements);
  }
  text += end;
  return text;
}

}  // namespace cornu::detail
