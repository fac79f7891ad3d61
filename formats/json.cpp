#include "cornu/formats/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/utf8.h"

namespace cornu {

namespace {

constexpr std::size_t most_in_a_word = std::size_t{8} << 20;

/// Adapts nlohmann's SAX events to JsonHandler. The parser stores no values and does not recurse, so deep nesting costs
/// no memory.
struct Events {
  using Source = nlohmann::json;
  JsonHandler& handler;

  bool null() { return say(Json()); }
  bool boolean(bool value) { return say(value); }
  bool number_integer(Source::number_integer_t value) { return say(value); }
  bool number_unsigned(Source::number_unsigned_t value) {
    return value <= INT64_MAX ? say(static_cast<std::int64_t>(value)) : say(static_cast<double>(value));
  }
  bool number_float(Source::number_float_t value, const std::string&) { return say(value); }
  bool string(std::string& value) { return say(std::move(value)); }
  static bool binary(Source::binary_t&) { return false; }
  bool start_object(std::size_t) { return handler.begin_object(), true; }
  bool key(std::string& name) { return handler.key(std::move(name)), true; }
  bool end_object() { return handler.end_object(), true; }
  bool start_array(std::size_t) { return handler.begin_list(), true; }
  bool end_array() { return handler.end_list(), true; }
  static bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: what": keep the position and the cause.
    std::string text = error.what();
    text.erase(0, text.find("] ") + 2);
    throw FormatError(message("JSON: {} (byte {})", text, position));
  }

 private:
  bool say(Json value) { return handler.value(std::move(value)), true; }
};

class TreeBuilder final : public JsonHandler {
 public:
  void value(Json scalar) override { put(std::move(scalar)); }
  void begin_list() override { open(Json::Array{}); }
  void end_list() override { close(); }
  void begin_object() override { open(Json::Object{}); }
  void end_object() override { close(); }
  void key(std::string name) override {
    std::vector<std::string>& names = open_.back().names;
    const auto place = std::lower_bound(names.begin(), names.end(), name);
    require<FormatError>(place == names.end() || *place != name, "JSON: duplicate name \"{}\"", name);
    names.insert(place, name);
    key_ = std::move(name);
  }
  Json result() && { return std::move(result_); }

 private:
  struct Open {
    Json json;
    std::vector<std::string> names{};  // an object's member names so far, sorted
    std::string key{};                 // its name in the enclosing object
  };

  void open(Json empty) {
    require<FormatError>(open_.size() < 64, "JSON: more than 64 levels of nesting");
    open_.push_back({.json = std::move(empty), .key = std::exchange(key_, {})});
  }
  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    key_ = std::move(done.key);
    put(std::move(done.json));
  }
  void put(Json value) {
    require<FormatError>(++values_ <= 100'000, "JSON: more than 100000 values");
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (auto* list = open_.back().json.as<Json::Array>()) {
      list->push_back(std::move(value));
    } else {
      open_.back().json.set(std::move(key_), std::move(value));
    }
  }

  std::vector<Open> open_;
  std::string key_;
  int values_ = 0;
  Json result_;
};

/// nlohmann's parser stores the current string or number in two growing buffers, which take up to five times its
/// length.
void require_short_words(std::string_view text) {
  constexpr std::string_view between = " \t\r\n,:[]{}";
  std::size_t length = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    length = c == '"' || (!quoted && between.find(c) != std::string_view::npos) ? 0 : length + 1;
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') {  // the escaped character may be a quotation mark
      ++i;
      ++length;
    }
    require<FormatError>(length <= most_in_a_word, "JSON: a string or number of more than {} bytes", most_in_a_word);
  }
}

void write_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t length = detail::utf8_length(text);
    const char c = text[0];
    if (length == 0) {
      out += "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> code{};
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
      out += code.data();
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

template <class Number>
void write_number(std::string& out, Number number) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void write(std::string& out, const Json& json) {
  if (const auto* truth = json.as<bool>()) {
    out += *truth ? "true" : "false";
  } else if (const auto* whole = json.as<std::int64_t>()) {
    write_number(out, *whole);
  } else if (const auto* number = json.as<double>(); number != nullptr && std::isfinite(*number)) {
    const std::size_t begin = out.size();
    write_number(out, *number);
    if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";  // keeps it a double when it is read back
  } else if (const auto* text = json.as<std::string>()) {
    write_text(out, *text);
  } else if (const auto* list = json.as<Json::Array>()) {
    const char* separator = "[";
    for (const Json& item : *list) {
      out += std::exchange(separator, ",");
      write(out, item);
    }
    out += list->empty() ? "[]" : "]";
  } else if (const auto* object = json.as<Json::Object>()) {
    const char* separator = "{";
    for (const auto& [name, item] : *object) {
      out += std::exchange(separator, ",");
      write_text(out, name);
      out += ':';
      write(out, item);
    }
    out += object->empty() ? "{}" : "}";
  } else {
    out += "null";
  }
}

}  // namespace

void parse_json(std::string_view text, JsonHandler& handler) {
  require_short_words(text);
  Events events{handler};
  nlohmann::json::sax_parse(text.begin(), text.end(), &events);
}

Json parse_json(std::string_view text) {
  TreeBuilder builder;
  parse_json(text, builder);
  return std::move(builder).result();
}

std::string to_string(const Json& json) {
  std::string out;
  write(out, json);
  return out;
}

void detail::require_utf8(const Json& json) {
  if (const auto* text = json.as<std::string>()) {
    require_utf8("text", *text);
  } else if (const auto* list = json.as<Json::Array>()) {
    for (const Json& item : *list) require_utf8(item);
  } else if (const auto* object = json.as<Json::Object>()) {
    for (const auto& [name, item] : *object) {
      require_utf8("name", name);
      require_utf8(item);
    }
  }
}

}  // namespace cornu
