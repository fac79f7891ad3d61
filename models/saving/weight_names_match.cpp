#include <algorithm>
#include <cctype>
#include <set>

#include "cornu/core/error.h"
#include "cornu/models/saving/weight_names.h"

namespace cornu::detail {

namespace {

/// A part of a module's name with its number, as in "conv12". Parts are sorted by number.
struct Part {
  std::string stem, digits;  // "conv", "12"

  explicit Part(const std::string& text) {
    std::size_t end = text.size();
    while (end > 0 && std::isdigit(static_cast<unsigned char>(text[end - 1])) != 0) --end;
    stem = text.substr(0, end);
    digits = text.substr(end);
  }
  bool operator==(const Part&) const = default;
  bool operator<(const Part& other) const {
    if (stem != other.stem) return stem < other.stem;
    return std::pair(digits.size(), digits) < std::pair(other.digits.size(), other.digits);
  }
  /// True if a number decides the order of the two.
  bool is_numbered_as(const Part& other) const {
    return stem == other.stem && !digits.empty() && !other.digits.empty();
  }
};

/// The end of the names of a module's tensors for the other direction.
constexpr std::string_view reverse = "_reverse";

/// "weight_ih_l0_reverse" without its end, and that end.
std::pair<std::string, std::string_view> split_direction(const std::string& tensor) {
  if (!tensor.ends_with(reverse)) return {tensor, ""};
  return {tensor.substr(0, tensor.size() - reverse.size()), reverse};
}

/// A module in a file.
struct FileModule {
  std::string name{};                          ///< features.0
  std::vector<Part> parts{};                   ///< of the name
  std::map<std::string, std::string> names{};  ///< tensors, full names by relative ones: weight is features.0.weight
};

/// What wrappers of a network put before all of its names: "module." (nn.DataParallel), "_orig_mod." (torch.compile).
std::string wrappers_of(const std::vector<std::string>& names) {
  std::string found;
  for (bool again = !names.empty(); again;) {
    again = false;
    for (const std::string_view wrapper : {"module.", "_orig_mod."}) {
      const std::string longer = found + std::string(wrapper);
      if (!std::all_of(names.begin(), names.end(), [&](const std::string& name) { return name.starts_with(longer); })) {
        continue;
      }
      found = longer;
      again = true;
    }
  }
  return found;
}

/// The modules of a file's tensors, by their names after `wrappers`.
std::map<std::string, FileModule> modules_of(const std::vector<std::string>& all, const std::string& wrappers) {
  std::set<std::string_view> names;
  for (const std::string& name : all) names.insert(std::string_view(name).substr(wrappers.size()));
  const auto has = [&](const std::string& module, const char* tensor) {
    return names.contains(in_module(module, tensor));
  };
  std::map<std::string, FileModule> found;
  for (const std::string_view full : names) {
    const std::size_t dot = full.rfind('.');
    std::string owner(dot == std::string::npos ? "" : full.substr(0, dot));
    // In a MultiheadAttention the output projection is a module inside.
    const std::size_t outer_dot = owner.rfind('.');
    if (owner.substr(outer_dot + 1) == "out_proj") {
      const std::string outer = outer_dot == std::string::npos ? "" : owner.substr(0, outer_dot);
      if (has(outer, "in_proj_weight")) owner = outer;
    }
    std::string tensor(owner.empty() ? full : full.substr(owner.size() + 1));
    std::string name = owner;
    // Each level of a multi-level LSTM or GRU is a layer: rnn[0], rnn[1].
    const auto [undirected, direction] = split_direction(tensor);
    const Part level(undirected);
    const bool is_level = level.stem.ends_with("_l") && !level.digits.empty() && has(owner, "weight_ih_l1");
    if (is_level) {
      name += "[" + level.digits + "]";
      tensor = level.stem + "0" + std::string(direction);
    }
    FileModule& module = found[name];
    if (module.name.empty() && !name.empty()) {
      module.name = name;
      for (const std::string& part : parts_of(owner, '.')) module.parts.emplace_back(part);
      if (is_level) module.parts.emplace_back(level.digits);
    }
    module.names.emplace(std::move(tensor), wrappers + std::string(full));
  }
  return found;
}

using Layers = std::vector<StoredLayer*>;
using Modules = std::vector<FileModule*>;

/// Pairs layers and modules in order. Layers without a module get the module name `missing`.
void pair_up(const Layers& layers, const Modules& modules, const std::string& missing) {
  for (std::size_t i = 1; i < modules.size(); ++i) {
    const std::vector<Part>&a = modules[i - 1]->parts, &b = modules[i]->parts;
    const auto [mine, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    require<ValueError>(mine == a.end() || mine->is_numbered_as(*other),
                        "the order of the modules {} and {} is not clear from their names; map layers to modules: "
                        ".rename = {{{{\"{}\", \"{}\"}}, ...}}",
                        modules[i - 1]->name, modules[i]->name, layers.empty() ? "dense" : layers[0]->path,
                        modules[i - 1]->name);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const FileModule* const module = i < modules.size() ? modules[i] : nullptr;
    const std::string name = module != nullptr ? module->name : missing;
    for (StoredTensor& tensor : layers[i]->tensors) {
      const bool is_there = module != nullptr && module->names.contains(tensor.name);
      tensor.name = is_there ? module->names.at(tensor.name) : in_module(name, tensor.name);
    }
  }
}

/// Removes and returns the elements whose name is within `outer`.
template <class T, class NameOf>
std::vector<T*> taken(std::vector<T*>& from, const std::string& outer, std::string_view separators, NameOf name_of) {
  const auto rest = std::stable_partition(from.begin(), from.end(),
                                          [&](const T* one) { return !is_within(name_of(*one), outer, separators); });
  std::vector<T*> result(rest, from.end());
  from.erase(rest, from.end());
  return result;
}

}  // namespace

std::string in_module(const std::string& module, const std::string& tensor) {
  if (module.empty()) return tensor;
  const std::size_t level = module.ends_with(']') ? module.rfind('[') : std::string::npos;
  if (level == std::string::npos) return module + "." + tensor;
  const std::string outer = module.substr(0, level), number = module.substr(level + 1, module.size() - level - 2);
  const auto [undirected, direction] = split_direction(tensor);
  return (outer.empty() ? "" : outer + ".") + Part(undirected).stem + number + std::string(direction);
}

void find_modules(std::span<StoredLayer> layers, const LayerNames& rename, const NamedTensors& file) {
  constexpr std::size_t most = 10'000;  // limits memory: half a kilobyte per module
  const std::vector<std::string> names = names_in(file);
  require<FormatError>(names.size() <= most, "{} tensors; at most {} are matched with PyTorch's modules", names.size(),
                       most);
  Layers own;
  Modules theirs;
  for (StoredLayer& layer : layers) own.push_back(&layer);
  // If the file has all the modules that save_weights would write, use them.
  std::map<std::string, FileModule> found = modules_of(names, "");
  const auto are_all_found = [&] {
    if (!std::all_of(own.begin(), own.end(), [&](const StoredLayer* one) { return found.contains(one->module); })) {
      return false;
    }
    for (StoredLayer* const layer : own) pair_up({layer}, {&found.at(layer->module)}, "");
    return true;
  };
  if (are_all_found()) return;
  std::string wrappers = wrappers_of(names);
  const auto is_wrapper = [&](const std::string& module) { return wrappers.starts_with(module + "."); };
  const bool is_module =  // of the model itself
      std::any_of(rename.begin(), rename.end(), [&](const auto& given) { return is_wrapper(given.second); }) ||
      std::any_of(layers.begin(), layers.end(),
                  [&](const auto& one) { return is_wrapper(parts_of(one.path, '/')[0]); });
  if (is_module) wrappers.clear();
  if (!wrappers.empty()) {
    found = modules_of(names, wrappers);
    if (are_all_found()) return;
  }
  for (auto& [name, module] : found) theirs.push_back(&module);
  std::sort(theirs.begin(), theirs.end(), [](const auto* a, const auto* b) { return a->parts < b->parts; });
  const auto pair_within = [&](const std::string& path, const std::string& module) {
    pair_up(taken(own, path, "/", [](const StoredLayer& layer) -> const std::string& { return layer.path; }),
            taken(theirs, module, ".[", [](const FileModule& one) -> const std::string& { return one.name; }), module);
  };
  // Renamed layers first, the innermost first: the map sorts them after the layers that contain them.
  std::for_each(rename.rbegin(), rename.rend(), [&](const auto& given) {
    const bool is_wrapped = given.second.starts_with(wrappers);
    pair_within(given.first, is_wrapped ? given.second.substr(wrappers.size()) : given.second);
  });
  // Then layers whose name is also in the file, and the rest in order.
  for (const StoredLayer& layer : layers) {
    const std::string name = parts_of(layer.path, '/')[0];
    const bool is_there = std::any_of(theirs.begin(), theirs.end(),
                                      [&](const FileModule* one) { return is_within(one->name, name, ".["); });
    if (is_there && std::find(own.begin(), own.end(), &layer) != own.end()) pair_within(name, name);
  }
  pair_up(own, theirs, "?");
}

}  // namespace cornu::detail
