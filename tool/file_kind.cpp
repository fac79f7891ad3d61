#include "cornu/tool/file_kind.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/formats/file_bytes.h"

namespace cornu::tool {

namespace {

using Bytes = std::span<const std::byte>;

bool begins(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::equal(text.begin(), text.end(), bytes.begin(),
                                                   [](char c, std::byte b) { return static_cast<std::byte>(c) == b; });
}

/// A length that fits into the file, and a JSON object.
bool is_safetensors(Bytes bytes) {
  if (bytes.size() < 9 || bytes[8] != std::byte{'{'}) return false;
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<std::uint64_t>(bytes[i]);
  return length <= bytes.size() - 8;
}

/// Two zeros, a type and a number of dimensions.
bool is_idx(Bytes bytes) {
  return begins(bytes, std::string_view("\0\0", 2)) && bytes.size() > 3 && bytes[2] >= std::byte{0x08} &&
         bytes[2] <= std::byte{0x0E};
}

bool is_pgm(Bytes bytes) {
  if (!begins(bytes, "P2") && !begins(bytes, "P5")) return false;
  return bytes.size() > 2 && std::string_view(" \t\r\n#").find(static_cast<char>(bytes[2])) != std::string_view::npos;
}

/// ONNX has no magic number, but everybody begins with the version: field 1, a number, which is small.
bool is_onnx(Bytes bytes) { return bytes.size() > 2 && bytes[0] == std::byte{0x08} && bytes[1] < std::byte{0x20}; }

/// No control characters where a table begins.
bool is_text(Bytes bytes) {
  const Bytes head = bytes.first(std::min<std::size_t>(bytes.size(), 512));
  return std::none_of(head.begin(), head.end(), [](std::byte b) {
    return b < std::byte{' '} && b != std::byte{'\t'} && b != std::byte{'\n'} && b != std::byte{'\r'};
  });
}

std::optional<FileKind> kind_of_bytes(Bytes bytes) {
  if (begins(bytes, "\x93NUMPY")) return FileKind::npy;
  if (begins(bytes, "PK\3\4") || begins(bytes, "PK\5\6")) return FileKind::npz;
  if (begins(bytes, "\x89PNG\r\n\x1a\n")) return FileKind::png;
  if (begins(bytes, "\x1f\x8b") || is_idx(bytes)) return FileKind::idx;
  if (is_safetensors(bytes)) return FileKind::safetensors;
  if (is_pgm(bytes)) return FileKind::pgm;
  if (is_onnx(bytes)) return FileKind::onnx;
  return std::nullopt;
}

std::optional<FileKind> kind_of_ending(std::string_view path) {
  struct Ending {
    std::string_view text;
    FileKind kind;
  };
  static constexpr std::array<Ending, 11> endings{{{".safetensors", FileKind::safetensors},
                                                   {".onnx", FileKind::onnx},
                                                   {".npy", FileKind::npy},
                                                   {".npz", FileKind::npz},
                                                   {"-ubyte", FileKind::idx},
                                                   {"-ubyte.gz", FileKind::idx},
                                                   {".png", FileKind::png},
                                                   {".pgm", FileKind::pgm},
                                                   {".csv", FileKind::csv},
                                                   {".tsv", FileKind::csv},
                                                   {".idx", FileKind::idx}}};
  for (const Ending& ending : endings) {
    if (path.ends_with(ending.text)) return ending.kind;
  }
  return std::nullopt;
}

}  // namespace

FileKind kind_of(Bytes bytes, const std::string& name) {
  if (const auto kind = kind_of_bytes(bytes)) return *kind;
  if (const auto kind = kind_of_ending(name)) return *kind;
  require<FormatError>(!bytes.empty() && is_text(bytes),
                       "{}: neither safetensors nor ONNX, .npy, .npz, IDX, PNG, PGM or a table of numbers", name);
  return FileKind::csv;
}

FileKind kind_of_file(const std::string& path) { return kind_of(FileBytes(path, true).bytes(), path); }

bool has_arrays(FileKind kind) { return kind < FileKind::png; }

const char* name_of(FileKind kind) {
  switch (kind) {
    case FileKind::safetensors:
      return "a safetensors file";
    case FileKind::onnx:
      return "an ONNX model";
    case FileKind::npy:
      return "a .npy array";
    case FileKind::npz:
      return "a .npz archive";
    case FileKind::idx:
      return "an IDX file";
    case FileKind::png:
      return "a PNG image";
    case FileKind::pgm:
      return "a PGM image";
    case FileKind::csv:
      return "a table of numbers";
  }
  return "a file";
}

}  // namespace cornu::tool
