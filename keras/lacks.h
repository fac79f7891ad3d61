#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace cornu::keras::detail {

/// What a file asks for that Cornu does not have. All of it becomes one error.
class Lacks {
 public:
  /// A layer of a class that Cornu lacks. `why`: "" or why it is not read.
  void layer(const std::string& class_name, const std::string& name, std::string_view why = "");
  /// An option of a layer that is not supported, or cannot be read.
  void option(const std::string& layer, const std::string& text);
  /// Something that only changes training, or the last digits: it becomes a warning.
  void note(const std::string& text);

  /// Throws FormatError unless nothing is lacking.
  void require_none() const;
  /// "" if there are none.
  std::string notes() const;

 private:
  std::map<std::string, std::vector<std::string>> layers_;
  std::vector<std::string> options_, notes_;
};

}  // namespace cornu::keras::detail
