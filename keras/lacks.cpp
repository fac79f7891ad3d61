#include "cornu/keras/lacks.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"

namespace cornu::keras::detail {

void Lacks::layer(const std::string& class_name, const std::string& name, std::string_view why) {
  layers_[class_name + std::string(why)].push_back(name);
}

void Lacks::option(const std::string& layer, const std::string& text) { options_.push_back(layer + ": " + text); }

void Lacks::note(const std::string& text) {
  if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
}

void Lacks::require_none() const {
  if (layers_.empty() && options_.empty()) return;
  std::string text;
  if (!layers_.empty()) {
    text = message("Cornu does not have the layer{} ", layers_.size() == 1 ? "" : "s");
    text += cornu::detail::listed(
        layers_, [](const auto& one) { return message("{} ({})", one.first, cornu::detail::listed(one.second)); });
  }
  if (!options_.empty()) {
    if (!text.empty()) text += "; ";
    text += "not supported: ";
    for (std::size_t i = 0; i < options_.size(); ++i) text += (i == 0 ? "" : "; ") + message("{}", options_[i]);
  }
  throw FormatError(text);
}

std::string Lacks::notes() const {
  std::string text;
  for (const std::string& note : notes_) text += (text.empty() ? "" : "; ") + note;
  return text;
}

}  // namespace cornu::keras::detail
