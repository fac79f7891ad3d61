#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cornu/core/compiler.h"

namespace cornu {

/// A JSON value: the form in which options are saved. formats/json.h parses and writes it as text.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  ///< in insertion order

  Json() = default;  ///< null
  Json(bool value) : value_(value) {}
  Json(std::int64_t value) : value_(value) {}
  Json(double value) : value_(value) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  /// A pointer to the value if it is a T (bool, std::int64_t, double, std::string, Array, Object), else null.
  template <class T>
  const T* as() const {
    return std::get_if<T>(&value_);
  }
  template <class T>
  T* as() {
    return std::get_if<T>(&value_);
  }
  /// The member of that name; null if there is none or this is not an object.
  const Json* find(std::string_view name) const;
  /// The member of that name. Throws FormatError if there is none.
  const Json& at(std::string_view name) const;
  /// Appends a member to an object. A null becomes an object.
  void set(std::string name, Json value);

  /// "a number", "a list", ...: for error messages.
  const char* kind() const;

  friend bool operator==(const Json&, const Json&) = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

}  // namespace cornu
