#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "cornu/core/error.h"

/// Recognises files by their first bytes, so that a reader given the wrong kind of file can name the kind in its error.
namespace cornu::detail {

enum class FileKind {
  // Kinds that Cornu reads.
  safetensors,
  onnx,
  npy,
  npz,
  pytorch,
  idx,
  csv,
  png,
  pgm,
  // Kinds that Cornu does not read.
  old_pytorch,
  torchscript,
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
  text,  ///< text of no known format
  empty,
  unknown,
};

/// Checks the first bytes and, in a zip archive, the names of its members.
FileKind file_kind(std::span<const std::byte> bytes);

/// True if Cornu has a reader for this kind.
constexpr bool is_read(FileKind kind) { return kind <= FileKind::pgm; }

/// The name with its article, such as "a PyTorch checkpoint".
const char* name_of(FileKind kind);
/// How the user can read or convert the file: "NpyFile reads it", "gunzip it first".
const char* remedy_for(FileKind kind);

/// "this is a PyTorch checkpoint; <remedy>".
std::string described(FileKind kind);
/// The first bytes in hexadecimal, for files of unknown kind: "7F 45 4C 46".
std::string beginning_of(std::span<const std::byte> bytes);

/// As `described`; "" if the kind is one of `expected` or is unknown.
std::string described_if_foreign(std::span<const std::byte> bytes, std::initializer_list<FileKind> expected);

/// Returns what `read()` returns. If `read()` throws a FormatError and the bytes are a file of a kind that is not in
/// `expected`, throws a FormatError that names the kind instead.
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
