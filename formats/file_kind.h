#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "cornu/core/error.h"

/// What a file is, by its first bytes: so that a reader given a file of another kind says which kind it is.
namespace cornu::detail {

enum class FileKind {
  // Those that Cornu reads.
  safetensors,
  onnx,
  npy,
  npz,
  idx,
  csv,
  png,
  pgm,
  // Those that it does not.
  pytorch,
  old_pytorch,
  pickle,
  keras,
  hdf5,
  tensorflow,
  tflite,
  core_ml,
  gguf,
  matlab,
  jpeg,
  gif,
  webp,
  bmp,
  tiff,
  sound,
  pdf,
  git_lfs,
  html,
  xml,
  json,
  utf16,
  utf32,
  excel,
  parquet,
  arrow,
  sqlite,
  zip,
  gzip,
  bzip2,
  xz,
  zstd,
  lz4,
  seven_zip,
  rar,
  tar,
  program,
  text,  ///< and nothing that says what of
  empty,
  unknown,
};

/// Looks at the first bytes, and at the names of the files in a zip archive.
FileKind file_kind(std::span<const std::byte> bytes);

/// Whether some function of Cornu reads such files.
constexpr bool is_read(FileKind kind) { return kind <= FileKind::pgm; }

/// As in "a PyTorch checkpoint".
const char* name_of(FileKind kind);
/// What to do with it: "safetensors.torch.save_file(model.state_dict(), ...) in Python makes a file that ...".
const char* remedy_for(FileKind kind);

/// "this is a PyTorch checkpoint; <remedy>".
std::string described(FileKind kind);
/// The first bytes of a file of which nothing else is known: "7F 45 4C 46".
std::string beginning_of(std::span<const std::byte> bytes);

/// As `described`; "" if that is what was expected, or it is not known what it is.
std::string described_if_foreign(std::span<const std::byte> bytes, std::initializer_list<FileKind> expected);

/// What `read()` returns. If it throws a FormatError and the bytes are those of a file of another kind than `expected`,
/// the error says of which kind.
template <class Read>
decltype(auto) recognising(std::span<const std::byte> bytes, std::initializer_list<FileKind> expected, Read read) {
  try {
    return read();
  } catch (const FormatError&) {
    if (std::string text = described_if_foreign(bytes, expected); !text.empty()) throw FormatError(std::move(text));
    throw;
  }
}

}  // namespace cornu::detail
