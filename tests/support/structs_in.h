#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "cornu/tests/support/paths.h"

namespace cornu::testing {

/// Sorted names of the structs that have a matching member, in the headers of a folder and its subfolders.
inline std::vector<std::string> structs_in(const std::string& folder, const std::regex& member) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(source_path(folder))) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const std::regex declaration("\n(struct|class) ([A-Z][A-Za-z0-9]*) (final )?\\{");
    for (std::sregex_iterator found(text.begin(), text.end(), declaration), end; found != end; ++found) {
      const auto from = static_cast<std::size_t>(found->position());
      const std::string body = text.substr(from, text.find("\n};", from) - from);
      if (std::regex_search(body, member)) names.push_back((*found)[2]);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cornu::testing
