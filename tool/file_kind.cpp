#include "cornu/tool/file_kind.h"

#include <array>
#include <optional>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/formats/file_bytes.h"

namespace cornu::tool {

namespace {

std::optional<FileKind> kind_of_ending(std::string_view path) {
  struct Ending {
    std::string_view text;
    FileKind kind;
  };
  static constexpr std::array<Ending, 13> endings{{{".safetensors", FileKind::safetensors},
                                                   {".onnx", FileKind::onnx},
                                                   {".npy", FileKind::npy},
                                                   {".npz", FileKind::npz},
                                                   {".pt", FileKind::pytorch},
                                                   {".pth", FileKind::pytorch},
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

FileKind kind_of(std::span<const std::byte> bytes, const std::string& name) {
  const FileKind kind = detail::file_kind(bytes);
  if (detail::is_read(kind) && kind != FileKind::csv) return kind;
  if (kind == FileKind::gzip) return kind;
  const bool could_be_any = kind == FileKind::csv || kind == FileKind::text || kind == FileKind::unknown;
  if (const auto by_name = kind_of_ending(name); by_name && could_be_any) return *by_name;
  require<FormatError>(
      kind != FileKind::unknown,
      "{}: neither safetensors nor PyTorch, ONNX, .npy, .npz, IDX, PNG, PGM or a table of numbers (it begins "
      "with {})",
      name, detail::beginning_of(bytes));
  require<FormatError>(could_be_any, "{}: {}", name, detail::described(kind));
  return FileKind::csv;
}

FileKind kind_of_file(const std::string& path) { return kind_of(FileBytes(path, true).bytes(), path); }

bool has_arrays(FileKind kind) { return kind < FileKind::csv || kind == FileKind::gzip; }

}  // namespace cornu::tool
