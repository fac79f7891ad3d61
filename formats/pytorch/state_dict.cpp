#include "cornu/formats/pytorch/state_dict.h"

#include <set>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/printable.h"
#include "cornu/core/text/utf8.h"

namespace cornu::detail {

namespace {

using Kind = PickleValue::Kind;

/// True for a dict with names as keys and at least one tensor.
bool has_tensors(const Pickle& pickle, PickleId id) {
  const PickleValue& dict = pickle[id];
  if (dict.kind != Kind::dict) return false;
  bool any = false;
  for (std::size_t i = 0; i < dict.items.size(); i += 2) {
    if (pickle[dict.items[i]].kind != Kind::text) return false;
    any = any || pickle[dict.items[i + 1]].kind == Kind::tensor;
  }
  return any;
}

constexpr std::size_t of_node = 64;  // bytes of a set's node

/// The dict of tensors that is meant.
PickleId chosen(const Pickle& pickle) {
  constexpr const char* advice = "in Python, torch.save(model.state_dict(), FILE) writes one";
  const PickleValue& root = pickle[pickle.root];
  require<FormatError>(root.kind == Kind::dict, "it is {}, not a dict of tensors; {}", name_of(root.kind), advice);
  std::vector<std::string> names;
  PickleId found = pickle.root;
  std::set<PickleId> without;  // a dict may be the value of many keys: look at it once
  for (std::size_t i = 0; i < root.items.size(); i += 2) {
    const PickleValue& key = pickle[root.items[i]];
    const PickleId value = root.items[i + 1];
    if (key.kind != Kind::text || pickle[value].kind != Kind::dict || without.contains(value)) continue;
    if (!has_tensors(pickle, value)) {
      MemoryLimit::charge(MemoryLimit::tensors, of_node);
      without.insert(value);
      continue;
    }
    found = value;
    names.push_back('"' + printable(key.text.substr(0, 100)) + '"');
    constexpr std::size_t most = 10;
    if (names.size() == most) break;
  }
  require<FormatError>(names.size() <= 1,
                       "it has several dicts of tensors: {}; in Python, torch.save(torch.load(FILE)[{}], ...) writes "
                       "one of them",
                       listed(names), names.empty() ? "" : names[0]);
  const bool is_empty = root.items.empty();
  require<FormatError>(is_empty || names.size() == 1 || has_tensors(pickle, pickle.root),
                       "it has no dict of tensors; {}", advice);
  return found;
}

}  // namespace

StateDict find_state_dict(const Pickle& pickle) {
  StateDict result;
  std::set<std::string_view> known;
  const std::vector<PickleId>& items = pickle[chosen(pickle)].items;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const std::string_view name = pickle[items[i]].text;
    const PickleValue& value = pickle[items[i + 1]];
    constexpr std::size_t of_entry = 384;  // a name, a set's node, a tensor's description
    MemoryLimit::charge(MemoryLimit::tensors, of_entry + name.size());
    require<FormatError>(is_utf8(name), "the name \"{}\" is not UTF-8", printable(name.substr(0, 100)));
    require<FormatError>(known.insert(name).second, "duplicate name \"{}\"", name);
    if (value.kind == Kind::tensor) {
      result.tensors.emplace_back(name, items[i + 1]);
    } else {
      result.others.push_back({.name = std::string(name),
                               .type = name_of(value.kind),
                               .reason = message("it is {}, not a tensor", name_of(value.kind))});
    }
  }
  return result;
}

}  // namespace cornu::detail
