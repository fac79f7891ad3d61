#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/core/constraint.h"
#include "cornu/core/error.h"
#include "cornu/core/image_options.h"
#include "cornu/core/options/json.h"
#include "cornu/core/regularizer.h"
#include "cornu/core/tensor.h"

/// Options by name. A struct lists its options once, for saving and for loading:
///     void options(auto& visit) { visit("units", units); visit("use_bias", use_bias); }
/// An option can be of any type with a to_json and a from_json, here or found by argument-dependent lookup; a user's
/// type needs the same two functions. from_json throws FormatError for an invalid value.
namespace cornu {

namespace detail {

/// The elements of a list or the members of an object. Throws FormatError for any other value.
const Json::Array& list_of(const Json& json);
const Json::Object& object_of(const Json& json);
/// The position of a string in `names`. Throws FormatError, listing the names, for any other value.
std::size_t position_of(const Json& json, std::span<const std::string_view> names);

}  // namespace detail

void to_json(Json& json, bool value);
void from_json(const Json& json, bool& value);
void to_json(Json& json, int value);
void from_json(const Json& json, int& value);
void to_json(Json& json, Index value);
void from_json(const Json& json, Index& value);
void to_json(Json& json, std::uint64_t value);
void from_json(const Json& json, std::uint64_t& value);
/// JSON has no infinities and NaN: they are stored as the strings "Infinity", "-Infinity" and "NaN".
void to_json(Json& json, double value);
void from_json(const Json& json, double& value);
void to_json(Json& json, float value);
void from_json(const Json& json, float& value);
void to_json(Json& json, const std::string& value);
void from_json(const Json& json, std::string& value);
void to_json(Json& json, const Shape& value);
void from_json(const Json& json, Shape& value);
void to_json(Json& json, const Size2D& value);
void from_json(const Json& json, Size2D& value);

/// An enumeration is saved by name. An overload of option_names, next to the enumeration, lists the names in order:
///     constexpr std::array<std::string_view, 3> option_names(Padding) { return {"valid", "same", "causal"}; }
template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E value) {
  std::span<const std::string_view>(option_names(value));
};
template <NamedEnum E>
void to_json(Json& json, E value) {
  json = std::string(option_names(value)[static_cast<std::size_t>(value)]);
}
template <NamedEnum E>
void from_json(const Json& json, E& value) {
  value = static_cast<E>(detail::position_of(json, option_names(value)));
}

template <class T>
void to_json(Json& json, const std::optional<T>& value) {
  if (value) to_json(json, *value);
}
template <class T>
void to_json(Json& json, const std::vector<T>& value) {
  Json::Array list(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) to_json(list[i], value[i]);
  json = std::move(list);
}
template <class T>
void to_json(Json& json, const std::map<std::string, T>& value) {
  json = Json::Object{};
  for (const auto& [name, item] : value) {
    Json one;
    to_json(one, item);
    json.set(name, std::move(one));
  }
}

/// A type without a default constructor, such as AnyLayer, needs `T json_to(const Json&, As<T>)` instead of from_json.
template <class T>
struct As {};
template <class T>
requires requires(const Json& json) {
  { json_to(json, As<T>{}) } -> std::same_as<T>;
}
void from_json(const Json& json, T& value) { value = json_to(json, As<T>{}); }

template <class T>
T value_of(const Json& json) {
  if constexpr (std::default_initializable<T>) {
    T value{};
    from_json(json, value);
    return value;
  } else {
    return json_to(json, As<T>{});
  }
}
template <class T>
void from_json(const Json& json, std::optional<T>& value) {
  if (json.is_null()) {
    value.reset();
  } else {
    value.emplace(value_of<T>(json));
  }
}
template <class T>
void from_json(const Json& json, std::vector<T>& value) {
  value.clear();
  for (const Json& one : detail::list_of(json)) value.push_back(value_of<T>(one));
}
template <class T>
void from_json(const Json& json, std::map<std::string, T>& value) {
  value.clear();
  for (const auto& [name, one] : detail::object_of(json)) value.insert_or_assign(name, value_of<T>(one));
}

/// The argument of `options`: writes the options it visits to JSON, or reads them.
class OptionVisitor {
 public:
  /// A writer. Tensors are not stored in the JSON but appended to `tensors`. If it is null, visiting tensors throws
  /// ValueError.
  explicit OptionVisitor(std::vector<Tensor>* tensors = nullptr) : tensors_(tensors) {}
  /// A reader. An option missing in `options` keeps its value, so that files can be loaded after an option has been
  /// added to a layer. `options` and `tensors` must outlive the visitor.
  explicit OptionVisitor(const Json& options, std::vector<Tensor>* tensors = nullptr);

  template <class T>
  void operator()(const char* name, T& value) {
    visit(
        name, &value, [](Json& json, const void* from) { to_json(json, *static_cast<const T*>(from)); },
        [](const Json& json, void* to) { from_json(json, *static_cast<T*>(to)); });
  }
  void operator()(const char* name, std::vector<Tensor>& value);
  /// Visits a nested object: the options visited by `visit_inside` become one option called `name`.
  void within(const char* name, const std::function<void(OptionVisitor&)>& visit_inside);

  bool reading() const { return reading_; }
  /// The written options, an object.
  Json written() && { return std::move(written_); }
  /// Throws FormatError, naming the option, if one was not read: it would be lost silently.
  void require_all_read() const;

 private:
  void visit(const char* name, void* value, void (*write)(Json&, const void*), void (*read)(const Json&, void*));
  void put(const char* name, Json value);
  const Json* take(const char* name);

  bool reading_ = false;
  Json written_ = Json::Object{};
  const Json* read_ = nullptr;
  std::vector<const Json*> taken_;
  std::vector<Tensor>* tensors_ = nullptr;
};

/// A struct with options. As an option of another struct it is an object.
template <class T>
concept HasOptions = requires(T& value, OptionVisitor& visit) {
  value.options(visit);
};
template <HasOptions T>
void to_json(Json& json, const T& value) {
  OptionVisitor visit;
  const_cast<T&>(value).options(visit);  // `options` also reads and is not const; a writer changes nothing
  json = std::move(visit).written();
}
template <HasOptions T>
void from_json(const Json& json, T& value) {
  OptionVisitor visit(json);
  value.options(visit);
  visit.require_all_read();
}

/// Null if there is no penalty or constraint.
void to_json(Json& json, const Regularizer& value);
void from_json(const Json& json, Regularizer& value);
void to_json(Json& json, const Constraint& value);
void from_json(const Json& json, Constraint& value);

}  // namespace cornu
