#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cornu/core/options/json.h"

/// JSON text (RFC 8259).
namespace cornu {

/// Receives the events of a JSON parser in the order of the text. A handler rejects a text by throwing.
class JsonHandler {
 public:
  JsonHandler() = default;
  JsonHandler(const JsonHandler&) = delete;
  JsonHandler& operator=(const JsonHandler&) = delete;
  virtual ~JsonHandler() = default;
  virtual void value(Json scalar) = 0;  ///< null, boolean, number or string
  virtual void begin_list() = 0;
  virtual void end_list() = 0;
  virtual void begin_object() = 0;
  virtual void key(std::string name) = 0;
  virtual void end_object() = 0;
};

/// Parses JSON and calls the handler. Throws FormatError, with the position, if the text is not JSON, is not UTF-8, or
/// continues after its value. An integer that does not fit int64 is passed as a double. Memory use is up to five times
/// the longest string or number, which may have 8 MB.
void parse_json(std::string_view text, JsonHandler& handler);
/// Parses JSON into a value. Also rejects duplicate member names, more than 64 levels of nesting and more than 100,000
/// values, so that a small file cannot claim much memory.
Json parse_json(std::string_view text);

/// Writes JSON on one line. Doubles are written with the fewest digits that restore the same bits, non-finite ones as
/// null. Bytes that are not UTF-8 become U+FFFD.
std::string to_string(const Json& json);

namespace detail {
/// Throws ValueError, quoting the text, if a string or a member's name is not UTF-8. Call it before writing a file.
void require_utf8(const Json& json);
}  // namespace detail

}  // namespace cornu
