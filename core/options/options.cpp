#include "cornu/core/options/options.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "cornu/core/text/listed.h"
#include "cornu/core/text/naming.h"

namespace cornu {

namespace {

template <class T>
const T& expect(const Json& json, const char* what) {
  const T* const value = json.as<T>();
  require<FormatError>(value != nullptr, "{} where {} is required", json.kind(), what);
  return *value;
}

constexpr double infinity = std::numeric_limits<double>::infinity();

double number_of(const std::string& text) {
  if (text == "Infinity") return infinity;
  if (text == "-Infinity") return -infinity;
  require<FormatError>(text == "NaN", "\"{}\" where a number is required", text);
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void to_json(Json& json, bool value) { json = value; }
void from_json(const Json& json, bool& value) { value = expect<bool>(json, "true or false"); }

void to_json(Json& json, int value) { json = std::int64_t{value}; }
void from_json(const Json& json, int& value) {
  const std::int64_t wide = expect<std::int64_t>(json, "a whole number");
  require<FormatError>(wide == static_cast<int>(wide), "{} is out of range", wide);
  value = static_cast<int>(wide);
}

void to_json(Json& json, Index value) { json = std::int64_t{value}; }
void from_json(const Json& json, Index& value) { value = expect<std::int64_t>(json, "a whole number"); }

// Stored as the signed integer with the same bits: JSON parsers disagree on integers of 2^63 and more.
void to_json(Json& json, std::uint64_t value) { json = static_cast<std::int64_t>(value); }
void from_json(const Json& json, std::uint64_t& value) {
  value = static_cast<std::uint64_t>(expect<std::int64_t>(json, "a whole number"));
}

void to_json(Json& json, double value) {
  if (std::isfinite(value)) {
    json = value;
  } else {
    json = std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  }
}
void from_json(const Json& json, double& value) {
  if (const auto* whole = json.as<std::int64_t>()) {
    value = static_cast<double>(*whole);
  } else if (const auto* text = json.as<std::string>()) {
    value = number_of(*text);
  } else {
    value = expect<double>(json, "a number");
  }
}

void to_json(Json& json, float value) { to_json(json, static_cast<double>(value)); }
void from_json(const Json& json, float& value) {
  double wide = 0;
  from_json(json, wide);
  value = static_cast<float>(wide);
}

void to_json(Json& json, const std::string& value) { json = value; }
void from_json(const Json& json, std::string& value) { value = expect<std::string>(json, "a string"); }

void to_json(Json& json, const Shape& value) {
  Json::Array list;
  for (const Index dimension : value.dimensions()) list.emplace_back(std::int64_t{dimension});
  json = std::move(list);
}
void from_json(const Json& json, Shape& value) {
  std::vector<Index> dimensions;
  from_json(json, dimensions);
  value = Shape(dimensions);
}

void to_json(Json& json, const Size2D& value) {
  json = Json::Array{std::int64_t{value.height}, std::int64_t{value.width}};
}
void from_json(const Json& json, Size2D& value) {
  std::vector<Index> sides;
  from_json(json, sides);
  require<FormatError>(sides.size() == 2, "a list of {} where height and width are required", sides.size());
  value = Size2D(sides[0], sides[1]);
}

std::size_t detail::position_of(const Json& json, std::span<const std::string_view> names) {
  const auto text = value_of<std::string>(json);
  const auto found = std::find(names.begin(), names.end(), text);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const auto quoted = [](std::string_view name) { return message(R"("{}")", name); };
  throw FormatError(message(R"("{}" where one of {} is required)", text, detail::listed(names, quoted)));
}

const Json::Array& detail::list_of(const Json& json) { return expect<Json::Array>(json, "a list"); }
const Json::Object& detail::object_of(const Json& json) { return expect<Json::Object>(json, "an object"); }

OptionVisitor::OptionVisitor(const Json& options, std::vector<Tensor>* tensors)
    : reading_(true), read_(&options), tensors_(tensors) {
  static_cast<void>(detail::object_of(options));
}

void OptionVisitor::visit(const char* name, void* value, void (*write)(Json&, const void*),
                          void (*read)(const Json&, void*)) {
  detail::naming(name, [&] {
    if (!reading_) {
      Json json;
      write(json, value);
      put(name, std::move(json));
    } else if (const Json* json = take(name)) {
      read(*json, value);
    }
  });
}

void OptionVisitor::operator()(const char* name, std::vector<Tensor>& value) {
  require<ValueError>(tensors_ != nullptr, "{}: tensors cannot be options here", name);
  std::vector<Index> places;  // indices in *tensors_
  if (!reading_) {
    for (const Tensor& tensor : value) {
      places.push_back(std::ssize(*tensors_));
      tensors_->push_back(tensor);
    }
    (*this)(name, places);
    return;
  }
  (*this)(name, places);
  value.clear();
  for (const Index place : places) {
    require<FormatError>(place >= 0 && place < std::ssize(*tensors_), "{}: there is no tensor {}", name, place);
    value.push_back((*tensors_)[static_cast<std::size_t>(place)]);
  }
}

void OptionVisitor::within(const char* name, const std::function<void(OptionVisitor&)>& visit_inside) {
  detail::naming(name, [&] {
    if (!reading_) {
      OptionVisitor inside(tensors_);
      visit_inside(inside);
      put(name, std::move(inside).written());
    } else if (const Json* json = take(name)) {
      OptionVisitor inside(*json, tensors_);
      visit_inside(inside);
      inside.require_all_read();
    }
  });
}

void OptionVisitor::put(const char* name, Json value) { written_.set(name, std::move(value)); }

const Json* OptionVisitor::take(const char* name) {
  const Json* const found = read_->find(name);
  if (found != nullptr) taken_.push_back(found);
  return found;
}

void OptionVisitor::require_all_read() const {
  if (!reading_) return;
  for (const auto& [name, value] : detail::object_of(*read_)) {
    require<FormatError>(std::find(taken_.begin(), taken_.end(), &value) != taken_.end(),
                         "there is no option \"{}\" in this version", name);
  }
}

namespace {

template <class T>
void write_unless_empty(Json& json, const T& value) {
  if (value) to_json<T>(json, value);
}
template <class T>
void read_or_clear(const Json& json, T& value) {
  value = {};
  if (!json.is_null()) from_json<T>(json, value);
}

}  // namespace

void to_json(Json& json, const Regularizer& value) { write_unless_empty(json, value); }
void from_json(const Json& json, Regularizer& value) { read_or_clear(json, value); }
void to_json(Json& json, const Constraint& value) { write_unless_empty(json, value); }
void from_json(const Json& json, Constraint& value) { read_or_clear(json, value); }

}  // namespace cornu
