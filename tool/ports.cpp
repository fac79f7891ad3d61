#include "cornu/tool/ports.h"

#include <algorithm>
#include <filesystem>

#include "cornu/core/text/listed.h"
#include "cornu/tool/commands.h"

namespace cornu::tool {

namespace {

struct NamedFile {
  std::string name, file;  // the name is empty if it is not given
};

NamedFile named_file(const std::string& text, const std::vector<std::string>& ports) {
  for (const std::string& port : ports) {  // a name may contain "="
    if (text.size() > port.size() && text.starts_with(port) && text[port.size()] == '=') {
      return {port, text.substr(port.size() + 1)};
    }
  }
  std::error_code ignored;
  const std::size_t at = text.find('=');
  if (at == std::string::npos || std::filesystem::exists(text, ignored)) return {"", text};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

std::map<std::string, std::string> files_of(const std::vector<std::string>& given,
                                            const std::vector<std::string>& ports, const char* where) {
  std::map<std::string, std::string> result;
  std::vector<std::string> unnamed;
  for (const std::string& text : given) {
    const NamedFile each = named_file(text, ports);
    if (each.name.empty()) {
      unnamed.push_back(each.file);
      continue;
    }
    require<UsageError>(std::find(ports.begin(), ports.end(), each.name) != ports.end(),
                        "{}{}: the model has no '{}'; it has {}", where, text, each.name, detail::listed(ports));
    require<UsageError>(result.emplace(each.name, each.file).second, "{}{}: '{}' is given twice", where, text,
                        each.name);
  }
  for (const std::string& port : ports) {
    if (unnamed.empty()) break;
    if (result.contains(port)) continue;
    result[port] = unnamed.front();
    unnamed.erase(unnamed.begin());
  }
  require<UsageError>(unnamed.empty(), "{}{}: the model has only {}", where, unnamed.empty() ? "" : unnamed.front(),
                      detail::listed(ports));
  return result;
}

void require_all(const std::map<std::string, std::string>& files, const std::vector<std::string>& ports,
                 const std::string& model, const char* what) {
  std::vector<std::string> missing;
  for (const std::string& name : ports) {
    if (!files.contains(name)) missing.push_back(name);
  }
  require<UsageError>(missing.empty(), "{}: no {} for {}", model, what, detail::listed(missing));
}

std::size_t position_of_output(const std::string& name, const std::vector<std::string>& outputs,
                               const std::string& model) {
  const auto found = name.empty() ? outputs.begin() : std::find(outputs.begin(), outputs.end(), name);
  require<UsageError>(found != outputs.end(), "{}: the model has no output '{}'; it has {}", model, name,
                      detail::listed(outputs));
  return static_cast<std::size_t>(found - outputs.begin());
}

}  // namespace cornu::tool
