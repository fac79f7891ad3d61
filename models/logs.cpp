#include "cornu/models/logs.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"

namespace cornu {

const double* Logs::find(std::string_view name) const {
  const auto found = std::find_if(begin(), end(), [&](const Entry& entry) { return entry.name == name; });
  return found == end() ? nullptr : &found->value;
}

double Logs::operator[](std::string_view name) const {
  if (const double* value = find(name)) return *value;
  throw ValueError(message("logs: there is no \"{}\"; there are: {}", name, names()));
}

std::string Logs::names() const { return entries_.empty() ? "none" : detail::listed(entries_, &Entry::name); }

void Logs::set(std::string_view name, double value) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  if (found != entries_.end()) {
    found->value = value;
  } else {
    entries_.push_back({std::string(name), value});
  }
}

const std::vector<double>& History::operator[](std::string_view name) const& {
  const auto found = history.find(name);
  if (found != history.end()) return found->second;
  throw ValueError(message("history: there is no \"{}\"; there are: {}", name,
                           detail::listed(history, [](const auto& known) { return known.first; })));
}

void History::append(Index epoch_number, const Logs& logs) {
  epoch.push_back(epoch_number);
  for (const Logs::Entry& entry : logs) history[entry.name].push_back(entry.value);
}

}  // namespace cornu
