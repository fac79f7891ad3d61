#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/options/options.h"
#include "cornu/core/options/type_name.h"

namespace cornu {

/// A file refers to a type or function that is not registered in this program. Another program may be able to load it.
class UnregisteredError : public FormatError {
  using FormatError::FormatError;
};

namespace detail {

/// The T inside an `Any` (an AnyLayer, a std::function, ...); null if it holds another type.
template <class T, class Any>
const T* held(const Any& any) {
  if constexpr (requires { any.template target<T>(); }) {
    return any.template target<T>();
  } else {
    return any.template as<T>();
  }
}

/// Writes or reads the options of a value: calls its `options` or, if it only has `layers()`, visits each layer.
template <class T>
void visit_options(T& value, OptionVisitor& visit) {
  if constexpr (HasOptions<T>) {
    value.options(visit);
  } else if constexpr (requires { value.layers(); }) {
    for (const auto& named : value.layers()) visit(named.name.c_str(), *named.layer);
  }
}
template <class T>
Json written_options(const T& value) {
  OptionVisitor visit;
  visit_options(const_cast<T&>(value), visit);  // `options` also reads and is not const; a writer changes nothing
  return std::move(visit).written();
}

/// The types of one kind, such as layers, by their names in files: {"class_name": "Dense", "config": {...}}.
/// Thread-safe.
template <class Any>
class Registry {
 public:
  /// `kind` and `call` are for error messages: "layer", "register_layer". `fill` adds Cornu's own types.
  Registry(const char* kind, const char* call, void (*fill)(Registry&)) : kind_(kind), call_(call) { fill(*this); }

  /// Registers T. `make` returns a T whose options are read afterwards. Registering T twice is allowed. Throws
  /// ValueError if another type has this name, or T has another name.
  template <class T>
  void add(std::string name, std::function<T()> make) {
    add(std::move(name), &options_of<T>, [make = std::move(make)](OptionVisitor& visit) {
      T value = make();
      visit_options(value, visit);
      return Any(std::move(value));
    });
  }
  template <class T>
  void add(std::string name = std::string(type_name<T>())) {
    // A function pointer: a lambda is a different type for each T, which multiplies the code of std::function.
    add(std::move(name), &options_of<T>, Make(&made<T>));
  }

  template <class... T>
  void add_all() {
    (add<T>(), ...);
  }

  using Ask = std::optional<Json> (*)(const Any&);  ///< the options of a T; nullopt for another type
  using Make = std::function<Any(OptionVisitor&)>;
  void add(std::string name, Ask ask, Make make) {
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_) {
      if (entry.name == name && entry.ask == ask) return;
      require<ValueError>(
          entry.name != name && entry.ask != ask,
          R"({}: cannot add "{}": "{}" is registered already ({} has one name, and each name belongs to one {}))",
          call_, name, entry.name, with_article(kind_), kind_);
    }
    entries_.push_back({std::move(name), ask, std::move(make)});
  }

  bool knows(std::string_view name) const { return find(name) != nullptr; }
  /// The names of all registered types, sorted.
  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> result;
    for (const Entry& entry : entries_) result.push_back(entry.name);
    std::sort(result.begin(), result.end());
    return result;
  }

  /// The JSON description of a value. Throws ValueError, prefixed with `what`, if its type is not registered.
  Json describe(const Any& any, std::string_view what) const {
    const std::lock_guard lock(mutex_);
    try {
      for (const Entry& entry : entries_) {
        if (std::optional<Json> options = entry.ask(any)) {
          Json json;
          json.set("class_name", entry.name);
          json.set("config", std::move(*options));
          return json;
        }
      }
      throw ValueError(message("{} of a type that is not registered cannot be saved; {}<TheType>() registers it",
                               with_article(kind_), call_));
    } catch (Error& error) {
      error.add_context(what);
      throw;
    }
  }

  /// Makes a value from its description. Throws UnregisteredError if the name is not registered, FormatError for
  /// unknown or invalid options.
  Any make(const Json& json) const {
    const auto name = value_of<std::string>(json.at("class_name"));
    const Entry* const entry = find(name);
    require<UnregisteredError>(
        entry != nullptr, "there is no {} called \"{}\" here; if it is your own, register it before loading: {}<{}>()",
        kind_, name, call_, name);
    try {
      OptionVisitor visit(json.at("config"));
      Any any = entry->make(visit);
      visit.require_all_read();
      return any;
    } catch (Error& error) {
      if (!std::string_view(error.what()).starts_with(name + ":")) error.add_context(name);
      throw;
    }
  }

 private:
  struct Entry {
    std::string name;
    Ask ask;
    Make make;
  };

  template <class T>
  static std::optional<Json> options_of(const Any& any) {
    const T* const value = held<T>(any);
    if (value == nullptr) return std::nullopt;
    return written_options(*value);
  }

  template <class T>
  static Any made(OptionVisitor& visit) {
    T value{};
    visit_options(value, visit);
    return Any(std::move(value));
  }

  const Entry* find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    for (const Entry& entry : entries_) {
      if (entry.name == name) return &entry;
    }
    return nullptr;
  }

  const char *kind_, *call_;
  std::list<Entry> entries_;            // a list: `find` returns addresses
  mutable std::recursive_mutex mutex_;  // recursive: describing a layer describes the layers it contains
};

/// Functions of one kind by name. Thread-safe.
template <class Function>
class FunctionRegistry {
 public:
  FunctionRegistry(const char* kind, const char* call, std::initializer_list<std::pair<std::string, Function>> known)
      : kind_(kind), call_(call), entries_(known) {}

  /// Registers a function. Throws ValueError if another function has this name.
  void add(std::string name, Function function) {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, its_function] : entries_) {
      if (known == name && its_function == function) return;
      require<ValueError>(known != name, "{}: \"{}\" is registered already", call_, name);
    }
    entries_.emplace_back(std::move(name), function);
  }
  /// The names of all registered functions, sorted.
  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> result;
    for (const auto& [name, function] : entries_) result.push_back(name);
    std::sort(result.begin(), result.end());
    return result;
  }
  /// The name of a function; empty if it is not registered.
  std::string find_name(Function function) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, known] : entries_) {
      if (known == function) return name;
    }
    return {};
  }
  /// The name of a function. Throws ValueError if it is not registered.
  std::string name_of(Function function) const {
    std::string name = find_name(function);
    require<ValueError>(!name.empty(), "a function without a name cannot be saved; {}(\"name\", function) gives it one",
                        call_);
    return name;
  }
  /// The function of that name. Throws UnregisteredError if there is none.
  Function find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, function] : entries_) {
      if (known == name) return function;
    }
    throw UnregisteredError(
        message("there is no {} called \"{}\" here; if it is your own, register it before loading: "
                "{}(\"{}\", function)",
                kind_, name, call_, name));
  }

 private:
  const char *kind_, *call_;
  std::vector<std::pair<std::string, Function>> entries_;
  mutable std::mutex mutex_;
};

}  // namespace detail
}  // namespace cornu
