#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/shape.h"

namespace cornu {

/// Numbers by name ("loss", "accuracy", "val_loss", ...) in the order in which they were first set.
class Logs {
 public:
  struct Entry {
    std::string name;
    double value = 0;
  };

  /// The number of that name. Throws ValueError, listing the names there are, if there is none.
  double operator[](std::string_view name) const;
  /// The same, null if there is none.
  const double* find(std::string_view name) const;
  /// Puts a number under a name, new or not.
  void set(std::string_view name, double value);
  void clear() { entries_.clear(); }
  /// All names, for an error's text: "loss, accuracy", or "none".
  std::string names() const;

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

/// What fit saw: for each epoch, what the logs said at its end.
struct History {
  struct Params {
    Index epochs = 0;  ///< that were asked for
    Index steps = 0;   ///< batches an epoch
  };

  std::map<std::string, std::vector<double>, std::less<>> history;
  std::vector<Index> epoch;
  Params params;
  bool interrupted = false;  ///< by Ctrl-C

  /// The numbers of that name, one for each epoch that had it. Throws ValueError, listing the names there are, if there
  /// is none.
  const std::vector<double>& operator[](std::string_view name) const&;
  std::vector<double> operator[](std::string_view name) && { return std::as_const(*this)[name]; }
  void append(Index epoch_number, const Logs& logs);
};

}  // namespace cornu
