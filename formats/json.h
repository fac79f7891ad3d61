#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cornu/core/options/json.h"

/// JSON as text (RFC 8259).
namespace cornu {

/// Hears what a text says, in its order. It refuses by throwing.
class JsonHandler {
 public:
  JsonHandler() = default;
  JsonHandler(const JsonHandler&) = delete;
  JsonHandler& operator=(const JsonHandler&) = delete;
  virtual ~JsonHandler() = default;
  virtual void value(Json scalar) = 0;  ///< null, true or false, a number, a text
  virtual void begin_list() = 0;
  virtual void end_list() = 0;
  virtual void begin_object() = 0;
  virtual void key(std::string name) = 0;
  virtual void end_object() = 0;
};

/// Throws FormatError, saying where, for a text that is not JSON, not UTF-8, or has more after its value. Whole numbers
/// that an int64 does not hold are doubles. Takes memory for five times the longest text or number in it, which may
/// have 8 MB.
void parse_json(std::string_view text, JsonHandler& handler);
/// The same as a value. Refuses besides: two members of one name, more than 64 levels of nesting and more than 100,000
/// values, so that a small file cannot ask for much memory.
Json parse_json(std::string_view text);

/// On one line. Doubles are as short as gives the same bits again; those that are not finite are null. Bytes that are
/// not UTF-8 become U+FFFD.
std::string to_string(const Json& json);

namespace detail {
/// Throws ValueError, quoting it, for a text or a member's name that is not UTF-8: before it is written to a file.
void require_utf8(const Json& json);
}  // namespace detail

}  // namespace cornu
