#include "cornu/core/options/json.h"

#include <algorithm>
#include <array>

#include "cornu/core/error.h"

namespace cornu {

const Json* Json::find(std::string_view name) const {
  const auto* const object = as<Object>();
  if (object == nullptr) return nullptr;
  const auto found =
      std::find_if(object->begin(), object->end(), [&](const Member& member) { return member.first == name; });
  return found == object->end() ? nullptr : &found->second;
}

const Json& Json::at(std::string_view name) const {
  const Json* const found = find(name);
  require<FormatError>(found != nullptr, "there is no \"{}\" in {}", name, kind());
  return *found;
}

void Json::set(std::string name, Json value) {
  if (is_null()) value_ = Object{};
  std::get<Object>(value_).emplace_back(std::move(name), std::move(value));
}

const char* Json::kind() const {
  constexpr std::array<const char*, 7> kinds{"null",     "true or false", "a whole number", "a number",
                                             "a string", "a list",        "an object"};
  return kinds[value_.index()];
}

}  // namespace cornu
