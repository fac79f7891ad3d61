#include "cornu/formats/safetensors_header.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/naming.h"
#include "cornu/formats/json.h"

namespace cornu {

namespace {

constexpr const char* metadata_name = "__metadata__";
constexpr std::size_t most_dimensions = 64;
constexpr std::size_t most_texts = 10'000;  // of metadata; a short one takes 100 bytes in a map
constexpr std::size_t most_unread = 4'000;  // each takes seven times its size in the file

/// A tensor as described in the header.
struct Entry {
  std::string name{};
  enum class Type : char { missing, known, unread } type = Type::missing;
  Dtype dtype{};  // valid if the type is known
  std::optional<std::vector<Index>> shape{};
  std::optional<std::array<Index, 2>> offsets{};  // begin and end
};

/// Parses the header. Stores only what the format defines, whatever else the header contains.
class HeaderReader final : public JsonHandler {
 public:
  std::deque<Entry> entries{};                        // a deque, because a growing vector copies its elements
  std::map<std::string, std::string> unread_types{};  // by tensor name
  SafetensorsMetadata metadata{};

  void value(Json scalar) override {
    if (in_list_) {
      add_number(scalar);
    } else if (depth_ == 2 && in_metadata_) {
      const auto* const text = scalar.as<std::string>();
      require<FormatError>(text != nullptr, "__metadata__: \"{}\" is {}; a string is required", key_, scalar.kind());
      require<FormatError>(metadata.emplace(key_, *text).second, "__metadata__: duplicate name \"{}\"", key_);
      require<FormatError>(metadata.size() <= most_texts, "__metadata__: more than {} entries", most_texts);
    } else if (depth_ == 2 && key_ == "dtype") {
      set_dtype(scalar);
    } else {
      misplaced(scalar.kind());
    }
  }

  void begin_list() override {
    if (depth_ != 2 || in_metadata_ || in_list_ || key_ == "dtype") misplaced("a list");
    require_new(!(key_ == "shape" ? entries.back().shape.has_value() : entries.back().offsets.has_value()));
    in_list_ = true;
    numbers_.clear();
  }
  void end_list() override {
    in_list_ = false;
    Entry& entry = entries.back();
    if (key_ == "shape") {
      entry.shape.emplace(numbers_);
    } else {
      require<FormatError>(numbers_.size() == 2, "\"{}\": data_offsets has {} numbers; begin and end are required",
                           entry.name, numbers_.size());
      entry.offsets = {numbers_[0], numbers_[1]};
    }
  }

  void begin_object() override {
    if (in_list_ || depth_ > 1) misplaced("an object");
    ++depth_;
  }
  void end_object() override {
    if (--depth_ != 1) return;
    if (!in_metadata_) {
      const Entry& entry = entries.back();
      require<FormatError>(entry.type != Entry::Type::missing && entry.shape && entry.offsets,
                           "\"{}\": dtype, shape and data_offsets are required", entry.name);
    }
    in_metadata_ = false;
  }

  void key(std::string name) override {
    key_ = std::move(name);
    if (depth_ == 1) {
      in_metadata_ = key_ == metadata_name;
      if (!in_metadata_) {
        entries.push_back({.name = key_});
      } else {
        require<FormatError>(!has_metadata_, "duplicate name \"{}\"", metadata_name);
        has_metadata_ = true;
      }
    } else if (!in_metadata_) {
      require<FormatError>(key_ == "dtype" || key_ == "shape" || key_ == "data_offsets",
                           R"("{}": an unknown entry "{}")", entries.back().name, key_);
    }
  }

 private:
  [[noreturn]] void misplaced(const char* what) const {
    if (depth_ == 0) throw FormatError(message("the header is {}; an object is required", what));
    throw FormatError(
        message("\"{}\": {} is not allowed here", entries.empty() || in_metadata_ ? key_ : entries.back().name, what));
  }
  void require_new(bool is_new) const {
    require<FormatError>(is_new, "\"{}\": duplicate entry {}", entries.back().name, key_);
  }
  void set_dtype(const Json& scalar) {
    Entry& entry = entries.back();
    const auto* const text = scalar.as<std::string>();
    require<FormatError>(text != nullptr, "\"{}\": dtype is {}; a string is required", entry.name, scalar.kind());
    require_new(entry.type == Entry::Type::missing);
    const std::optional<Dtype> dtype = detail::dtype_called(*text);
    entry.type = dtype ? Entry::Type::known : Entry::Type::unread;
    entry.dtype = dtype.value_or(Dtype{});
    constexpr std::size_t most_shown = 40;
    if (!dtype) unread_types.emplace(entry.name, text->substr(0, most_shown));
    require<FormatError>(unread_types.size() <= most_unread, "more than {} tensors of unsupported types", most_unread);
  }
  void add_number(const Json& scalar) {
    const auto* const number = scalar.as<std::int64_t>();
    require<FormatError>(number != nullptr && *number >= 0,
                         "\"{}\": {} has {} in it; non-negative integers are required", entries.back().name, key_,
                         number == nullptr ? scalar.kind() : "a negative number");
    require<FormatError>(numbers_.size() < most_dimensions, "\"{}\": {} has more than {} numbers", entries.back().name,
                         key_, most_dimensions);
    numbers_.push_back(*number);
  }

  int depth_ = 0;
  bool in_metadata_ = false, has_metadata_ = false, in_list_ = false;
  std::string key_;
  std::vector<Index> numbers_;  // of the list being parsed
};

void require_distinct_names(const std::deque<Entry>& entries) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const Entry& entry : entries) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) throw FormatError(message("duplicate name \"{}\"", *twice));
}

}  // namespace

SafetensorsHeader read_safetensors_header(std::string_view text, Index data_bytes) {
  require<FormatError>(text.size() <= most_header_bytes, "the header has {} bytes; at most {} are allowed", text.size(),
                       most_header_bytes);
  require<FormatError>(text.starts_with('{'), "the header does not begin with {{");
  HeaderReader reader;
  parse_json(text, reader);
  std::deque<Entry>& entries = reader.entries;
  require_distinct_names(entries);
  // Sort by offset; the header's order is free. A tensor without bytes sorts before one that begins at the same offset.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return *a.offsets < *b.offsets; });

  SafetensorsHeader header{.tensors = {}, .metadata = std::move(reader.metadata)};
  header.tensors.reserve(entries.size() - reader.unread_types.size());
  Index done = 0;
  for (Entry& entry : entries) {
    const Index begin = entry.offsets->front(), end = entry.offsets->back();
    detail::naming('"' + entry.name + '"', [&] {
      require<FormatError>(begin == done, "its bytes begin at {}, but the previous tensor ends at {}", begin, done);
      require<FormatError>(begin <= end && end <= data_bytes, "its bytes are {} to {}, but the file has {}", begin, end,
                           data_bytes);
      if (entry.type != Entry::Type::known) return;  // its size is unknown
      const Index wanted = detail::byte_count(*entry.shape, entry.dtype);
      require<FormatError>(end - begin == wanted, "{} {} takes {} bytes, but it has {}", to_string(entry.dtype),
                           to_string(std::span(std::as_const(*entry.shape))), wanted, end - begin);
    });
    if (entry.type == Entry::Type::known) {
      header.tensors.push_back({.name = std::move(entry.name), .dtype = entry.dtype, .shape = std::move(*entry.shape)});
    } else {
      header.gaps.emplace_back(header.tensors.size(), end - begin);
      std::string& type = reader.unread_types.at(entry.name);
      std::string reason = message("dtype {} is not supported; save it as F32", type);
      header.unread.push_back({.name = std::move(entry.name),
                               .type = std::move(type),
                               .shape = std::move(*entry.shape),
                               .reason = std::move(reason)});
    }
    done = end;
  }
  require<FormatError>(done == data_bytes, "{} bytes after the last tensor", data_bytes - done);
  return header;
}

}  // namespace cornu
