#include "cornu/keras/node_reader.h"

#include <algorithm>
#include <optional>

#include "cornu/core/options/options.h"
#include "cornu/formats/json.h"
#include "cornu/keras/objects.h"

namespace cornu::keras::detail {

namespace {

using cornu::detail::list_of;

/// ["dense", 0, 0], with more elements ignored. Empty for another value.
std::optional<Reference> reference_of(const Json& json) {
  const auto* const list = json.as<Json::Array>();
  if (list == nullptr || list->size() < 3) return std::nullopt;
  const auto* const name = (*list)[0].as<std::string>();
  const auto *const node = (*list)[1].as<std::int64_t>(), *const output = (*list)[2].as<std::int64_t>();
  if (name == nullptr || node == nullptr || output == nullptr) return std::nullopt;
  return Reference{*name, static_cast<Index>(*node), static_cast<Index>(*output)};
}

/// The members of an object by their names, as Keras orders them.
std::vector<Json::Member> sorted(Json::Object members) {
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return members;
}

/// Appends the values in an argument.
void add_references(const Json& argument, std::vector<Reference>& to) {
  if (const auto* const list = argument.as<Json::Array>()) {
    for (const Json& one : *list) add_references(one, to);
  } else if (const auto* const object = argument.as<Json::Object>()) {
    const std::string type = text_in(argument, "class_name");
    if (type == "__keras_tensor__") {
      const auto reference = reference_of(in(in(argument, "config"), "keras_history"));
      require<FormatError>(reference.has_value(), "an input without keras_history");
      to.push_back(*reference);
    } else if (type == "__tuple__") {
      add_references(in(argument, "items"), to);
    } else if (type.empty()) {
      for (const auto& [name, one] : sorted(*object)) add_references(one, to);
    } else {
      throw Unsupported("called with " + type);
    }
  } else if (!argument.is_null()) {
    throw Unsupported("called with the argument " + to_string(argument));
  }
}

bool is_off(const Json& value) {
  const auto* const flag = value.as<bool>();
  return value.is_null() || (flag != nullptr && !*flag);
}

/// Reads the named arguments of a call.
void read_named(const Json& arguments, Node& node) {
  if (arguments.is_null()) return;
  const auto& members = cornu::detail::object_of(arguments);
  // The inputs of MultiHeadAttention, in the order of its arguments; then those of other layers.
  for (const char* const name : {"query", "value", "key", "inputs", "x"}) {
    const auto found =
        std::find_if(members.begin(), members.end(), [&](const Json::Member& member) { return member.first == name; });
    if (found != members.end()) add_references(found->second, node.inputs);
  }
  for (const auto& [name, value] : members) {
    if (name == "query" || name == "value" || name == "key" || name == "inputs" || name == "x") continue;
    if (is_off(value)) continue;
    if (name != "use_causal_mask") {
      std::vector<Reference> values;
      try {
        add_references(value, values);
      } catch (const Unsupported&) {
      }
      throw Unsupported("called with " + name + (values.empty() ? " = " + to_string(value) : ""));
    }
    node.use_causal_mask = true;
  }
}

/// [["dense", 0, 0, {}], ...], or one of these lists.
Node old_node(const Json& json) {
  Node node{.is_old = true};
  if (const auto only = reference_of(json)) {
    node.inputs.push_back(*only);
    return node;
  }
  for (const Json& one : list_of(json)) {
    const auto reference = reference_of(one);
    require<FormatError>(reference.has_value(), "an input that is not [layer, call, output]");
    node.inputs.push_back(*reference);
    if (const Json::Array& parts = list_of(one); parts.size() > 3) read_named(parts[3], node);
  }
  return node;
}

}  // namespace

std::vector<Node> nodes_of(const Json& inbound_nodes) {
  std::vector<Node> result;
  for (const Json& json : list_of(inbound_nodes)) {
    Node node;
    if (json.as<Json::Array>() != nullptr) {
      node = old_node(json);
    } else {
      add_references(json.at("args"), node.inputs);
      read_named(in(json, "kwargs"), node);
    }
    require<FormatError>(!node.inputs.empty(), "a call without inputs");
    result.push_back(std::move(node));
  }
  return result;
}

std::vector<Reference> references_of_places(const Json& places) {
  if (const auto only = reference_of(places)) return {*only};
  std::vector<Reference> result;
  if (const auto* const object = places.as<Json::Object>()) {
    for (const auto& [name, place] : sorted(*object)) {
      const auto reference = reference_of(place);
      require<FormatError>(reference.has_value(), "{} is not [layer, call, output]", name);
      result.push_back(*reference);
    }
    return result;
  }
  for (const Json& place : list_of(places)) {
    const auto reference = reference_of(place);
    require<FormatError>(reference.has_value(),
                         "input_layers or output_layers: a list of [layer, call, output] is required");
    result.push_back(*reference);
  }
  return result;
}

}  // namespace cornu::keras::detail
