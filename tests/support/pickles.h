#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/shape.h"
#include "cornu/formats/zip.h"
#include "cornu/tests/support/bytes.h"

/// Pickles of protocol 2 as torch.save writes them, put together from their parts, and the archives around them.
namespace cornu::testing::pickles {

/// `count` bytes of a little-endian number.
inline std::string little_endian(std::uint64_t number, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += static_cast<char>(number >> 8 * i & 255);
  return text;
}

inline std::string integer(Index number) { return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(number), 8); }
inline std::string text(std::string_view chars) { return "X" + little_endian(chars.size(), 4) + std::string(chars); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string joined = "(";
  for (const std::string& item : items) joined += item;
  return joined + "t";
}
inline std::string integers(const std::vector<Index>& numbers) {
  std::vector<std::string> items;
  for (const Index number : numbers) items.push_back(integer(number));
  return tuple(items);
}
inline std::string called(const std::string& function, const std::vector<std::string>& arguments) {
  return function + tuple(arguments) + "R";
}
inline std::string ordered_dict() { return called(global("collections", "OrderedDict"), {}); }

using Entries = std::vector<std::pair<std::string, std::string>>;

/// Names and values.
inline std::string dict(const Entries& entries) {
  std::string joined = "}(";
  for (const auto& [name, value] : entries) joined += text(name) + value;
  return joined + "u";
}

inline std::string storage(const std::string& type, const std::string& key, Index length) {
  return tuple({text("storage"), type, text(key), text("cpu"), integer(length)}) + "Q";
}
inline std::string storage(const char* type, const std::string& key, Index length) {
  return storage(global("torch", type), key, length);
}

struct Strides {
  std::vector<Index> sizes, strides;
  Index offset = 0;
};
inline std::string tensor(const std::string& of, const Strides& view, const std::string& metadata = "") {
  std::vector<std::string> arguments{of,     integer(view.offset), integers(view.sizes), integers(view.strides),
                                     "\x89", ordered_dict()};
  if (!metadata.empty()) arguments.push_back(metadata);
  return called(global("torch._utils", "_rebuild_tensor_v2"), arguments);
}
/// Of one of the types that PyTorch 2 has added.
inline std::string typed_tensor(const std::string& of, const Strides& view, const char* dtype) {
  return called(global("torch._utils", "_rebuild_tensor_v3"),
                {of, integer(view.offset), integers(view.sizes), integers(view.strides), "\x89", ordered_dict(),
                 global("torch", dtype)});
}

inline std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }

/// An archive of members in one folder, such as {"data.pkl", ...} and {"data/0", ...}.
inline std::string archive(const Entries& members, const std::string& folder = "archive") {
  std::vector<detail::ZipMember> all;
  for (const auto& [name, bytes] : members) {
    all.push_back({.name = folder.empty() ? name : folder + "/" + name, .head = {}, .body = bytes_of(bytes)});
  }
  const std::vector<std::byte> file = detail::zip_file(all, false);
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

}  // namespace cornu::testing::pickles
