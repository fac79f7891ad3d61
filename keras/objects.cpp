#include "cornu/keras/objects.h"

#include "cornu/core/options/options.h"
#include "cornu/layers/registry.h"

namespace cornu::keras::detail {

namespace {

std::optional<double> number(const Json& json) {
  if (const auto* const whole = json.as<std::int64_t>()) return static_cast<double>(*whole);
  if (const auto* const real = json.as<double>()) return *real;
  return std::nullopt;
}

template <class T>
Json json_of(const T& value) {
  Json json;
  to_json(json, value);
  return json;
}

/// The class of an object, or a text that is the object's name.
std::string name_of(const Json& json) {
  const auto* const text = json.as<std::string>();
  return text != nullptr ? *text : text_in(json, "class_name");
}

/// An axis, or a range of them.
std::optional<AxisRange> axis_of(const Json& json) {
  if (const auto axis = number(json)) return AxisRange(static_cast<Index>(*axis));
  const auto* const list = json.as<Json::Array>();
  if (list == nullptr || list->empty()) return std::nullopt;
  Index last = 0;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const auto axis = number((*list)[i]);
    if (!axis || (i > 0 && static_cast<Index>(*axis) != last + 1)) return std::nullopt;
    last = static_cast<Index>(*axis);
  }
  return AxisRange(static_cast<Index>(*number(list->front())), last);
}

}  // namespace

std::string text_in(const Json& json, const char* name) {
  const Json* const member = json.find(name);
  const auto* const text = member == nullptr ? nullptr : member->as<std::string>();
  return text == nullptr ? "" : *text;
}

const Json& in(const Json& json, const char* name) {
  static const Json null;
  const Json* const member = json.find(name);
  return member == nullptr ? null : *member;
}

bool same(const Json& a, const Json& b) {
  const auto one = number(a), other = number(b);
  return one && other ? *one == *other : a == b;
}

std::optional<std::string> activation_of(const Json& json) {
  if (json.is_null()) return "linear";
  if (const auto* const text = json.as<std::string>()) return *text;
  if (text_in(json, "class_name") == "function") {
    const std::string name = text_in(json, "config");
    if (!name.empty()) return name;
  }
  return std::nullopt;
}

std::optional<Json> initializer_of(const Json& json) {
  const std::string name = name_of(json), function = cornu::detail::snake_case(name);
  try {
    cornu::detail::initializer_functions().find(function);
    return Json(function);
  } catch (const UnregisteredError&) {
  }
  const std::string base = name.ends_with("V2") ? name.substr(0, name.size() - 2) : name;
  for (const std::string& known : cornu::detail::initializer_registry().names()) {
    if (base != known && base != cornu::detail::snake_case(known)) continue;
    Json config = Json::Object{};
    if (const auto* const members = in(json, "config").as<Json::Object>()) {
      for (const auto& [option, value] : *members) {
        if (option != "seed" && option != "dtype") config.set(option, value);
      }
    }
    Json result;
    result.set("class_name", known);
    result.set("config", std::move(config));
    return result;
  }
  return std::nullopt;
}

std::optional<Json> regularizer_of(const Json& json) {
  if (json.is_null()) return json;
  const std::string name = name_of(json);
  const Json& config = in(json, "config");
  const auto l1 = number(in(config, "l1")), l2 = number(in(config, "l2"));
  if (name == "L1" || name == "l1") return json_of(Regularizer(L1{l1.value_or(0.01)}));
  if (name == "L2" || name == "l2") return json_of(Regularizer(L2{l2.value_or(0.01)}));
  if (name == "L1L2" || name == "l1_l2") return json_of(Regularizer(L1L2{l1.value_or(0), l2.value_or(0)}));
  return std::nullopt;
}

std::optional<Json> constraint_of(const Json& json) {
  if (json.is_null()) return json;
  const std::string name = name_of(json);
  const Json& config = in(json, "config");
  if (name == "NonNeg" || name == "non_neg") return json_of(Constraint(NonNeg{}));
  const Json* const axes = config.find("axis");
  const std::optional<AxisRange> axis = axes == nullptr ? AxisRange(0) : axis_of(*axes);
  if (!axis) return std::nullopt;
  if (name == "UnitNorm" || name == "unit_norm") return json_of(Constraint(UnitNorm{.axis = *axis}));
  if (name == "MaxNorm" || name == "max_norm") {
    return json_of(Constraint(MaxNorm{.max_value = number(in(config, "max_value")).value_or(2), .axis = *axis}));
  }
  return std::nullopt;
}

std::string dtype_of(const Json& json) {
  if (json.is_null()) return "float32";
  if (const auto* const text = json.as<std::string>()) return *text;
  const std::string name = text_in(in(json, "config"), "name");
  return name.empty() ? text_in(json, "class_name") : name;
}

}  // namespace cornu::keras::detail
