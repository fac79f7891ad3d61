#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/shape.h"

namespace cornu {

/// Values by name ("loss", "accuracy", "val_loss", ...), in the order in which they were first set.
class Logs {
 public:
  struct Entry {
    std::string name;
    double value = 0;
  };

  /// The value with this name. Throws ValueError, listing the names, if there is none.
  double operator[](std::string_view name) const;
  /// Pointer to the value with this name, or null.
  const double* find(std::string_view name) const;
  /// Sets a value, adding the name if it is new.
  void set(std::string_view name, double value);
  void clear() { entries_.clear(); }
  /// All names, for error messages: "loss, accuracy", or "none".
  std::string names() const;

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

/// The logs of each epoch of a fit.
struct History {
  struct Params {
    Index epochs = 0;  ///< as requested
    Index steps = 0;   ///< batches per epoch
  };

  std::map<std::string, std::vector<double>, std::less<>> history;
  std::vector<Index> epoch;
  Params params;
  bool interrupted = false;  ///< by Ctrl-C

  /// The values with this name, one for each epoch that has it. Throws ValueError, listing the names, if there are
  /// none.
  const std::vector<double>& operator[](std::string_view name) const&;
  std::vector<double> operator[](std::string_view name) && { return std::as_const(*this)[name]; }
  void append(Index epoch_number, const Logs& logs);
};

}  // namespace cornu
