#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/error.h"

namespace cornu::detail {

/// How ops are written in a format, by their names: a function for each, Cornu's own and those that users register.
/// Thread-safe.
template <class Row>
class OpRows {
 public:
  using Rows = std::vector<std::pair<std::string, Row>>;

  /// call: the function that registers a row, for errors.
  OpRows(const char* call, std::initializer_list<Rows> known) : call_(call) {
    for (const Rows& some : known) rows_.insert(rows_.end(), some.begin(), some.end());
    own_ = rows_.size();
  }

  /// Throws ValueError for an empty name or function, and for a name that has a row.
  void add(std::string op, Row row) {
    require<ValueError>(!op.empty() && static_cast<bool>(row), "{}: a name and a function are required", call_);
    const std::lock_guard lock(mutex_);
    require<ValueError>(position(op) == rows_.end(), "{}: \"{}\" is registered already", call_, op);
    rows_.emplace_back(std::move(op), std::move(row));
  }
  /// nullptr if there is none.
  const Row* find(std::string_view op) const {
    const std::lock_guard lock(mutex_);
    const auto found = position(op);
    return found == rows_.end() ? nullptr : &found->second;
  }
  /// True for a name that `add` was called with.
  bool is_added(std::string_view op) const {
    const std::lock_guard lock(mutex_);
    return std::distance(rows_.begin(), position(op)) >= static_cast<std::ptrdiff_t>(own_) &&
           position(op) != rows_.end();
  }
  /// Sorted.
  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> result;
    for (const auto& [name, row] : rows_) result.push_back(name);
    std::sort(result.begin(), result.end());
    return result;
  }

 private:
  auto position(std::string_view op) const {
    return std::find_if(rows_.begin(), rows_.end(), [&](const auto& row) { return row.first == op; });
  }

  const char* call_;
  std::size_t own_ = 0;                          // the number of Cornu's rows, which are first
  std::list<std::pair<std::string, Row>> rows_;  // a list: find returns addresses
  mutable std::mutex mutex_;
};

}  // namespace cornu::detail
