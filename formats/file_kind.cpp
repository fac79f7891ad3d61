#include "cornu/formats/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cornu/formats/looks_like.h"

namespace cornu::detail {

namespace {

using namespace std::string_view_literals;

bool is_empty(std::string_view text) { return text.empty(); }

struct Signature {
  std::size_t at = 0;
  std::string_view bytes{};
};

/// A file kind: its name, the remedy, and how it begins. No other file can begin with one of the signatures, not even a
/// table whose first column is called PAR1.
struct Row {
  FileKind kind;
  const char* name;
  const char* remedy;
  std::array<Signature, 8> signatures{};
  bool (*matches)(std::string_view) = nullptr;
};

constexpr const char* from_pytorch =
    "it has weights but no layers: build the model and call its load_weights, or make a model for onnx::load with "
    "torch.onnx.export in Python";
constexpr const char* from_old_pytorch =
    "load it in PyTorch 1.6 or later and save it again: torch.save(model.state_dict(), FILE)";
constexpr const char* from_torchscript =
    "in Python, torch.save(torch.jit.load(FILE).state_dict(), \"m.pt\") makes a file for load_weights, and "
    "torch.onnx.export a model for onnx::load";
constexpr const char* from_keras =
    "keras::load and keras::load_weights read it if Cornu is built with libhdf5 and libzip; else, in Python, "
    "model.export(\"m.onnx\", format=\"onnx\") makes a model for onnx::load, and "
    "safetensors.numpy.save_file({v.path: v.numpy() for v in model.weights}, \"m.safetensors\") a file for "
    "load_weights with .names = Names::keras";
constexpr const char* from_tensorflow = "tf2onnx converts it for onnx::load: python -m tf2onnx.convert";
constexpr const char* as_png = "save it as PNG, which 'cornu predict' reads, or its pixels as .npy";
constexpr const char* pixels = "'cornu predict' reads it; a program needs its pixels, for example as .npy";
constexpr const char* as_columns = "save it as CSV, for read_csv, or its columns with numpy.savez";
constexpr const char* unpack = "unpack it first";

/// The first matching row decides. Source: file(1)'s magic and each format's specification.
constexpr std::array table{
    Row{FileKind::empty, "an empty file", "was it written or downloaded completely?", {}, is_empty},
    Row{FileKind::safetensors,
        "a safetensors file",
        "Sequential::load reads a model, load_weights weights, SafetensorsFile any tensors",
        {},
        looks_like::safetensors},
    Row{FileKind::npy, "a .npy array", "NpyFile reads it", {{{0, "\x93NUMPY"sv}}}},
    Row{FileKind::png, "a PNG image", pixels, {{{0, "\x89PNG\r\n\x1a\n"sv}}}},
    Row{FileKind::matlab,
        "a MATLAB file (.mat)",
        "in Python, scipy.io.loadmat reads it and numpy.savez saves its arrays for NpzFile",
        {{{0, "MATLAB 5.0 MAT-file"sv}, {0, "MATLAB 7.3 MAT-file"sv}}}},
    Row{FileKind::hdf5,
        "an HDF5 file, such as Keras's .h5",
        from_keras,
        {{{0, "\x89HDF\r\n\x1a\n"sv}, {512, "\x89HDF\r\n\x1a\n"sv}}}},
    Row{FileKind::old_pytorch,
        "a PyTorch checkpoint from before version 1.6",
        from_old_pytorch,
        {{{2, "\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19"sv}, {11, "\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19"sv}}},
        looks_like::old_pytorch},
    Row{FileKind::pickle,
        "a Python pickle",
        "load it in Python and save its arrays with numpy.savez",
        {{{0, "\x80\x02"sv},
          {0, "\x80\x03"sv},
          {0, "\x80\x04"sv},
          {0, "\x80\x05"sv},
          {0, "}q\0"sv},
          {0, "]q\0"sv},
          {0, "}q\1"sv},
          {0, "]q\1"sv}}},
        looks_like::text_pickle},
    Row{FileKind::gzip, "compressed by gzip", "gunzip it first", {{{0, "\x1f\x8b\x08"sv}}}},
    Row{FileKind::bzip2, "compressed by bzip2", "bunzip2 it first", {{{4, "1AY&SY"sv}, {4, "\x17rE8P\x90"sv}}}},
    Row{FileKind::xz,
        "compressed by xz",
        "unxz it first",
        {{{0,
           "\xfd"
           "7zXZ\0"sv}}}},
    Row{FileKind::zstd, "compressed by zstd", "unzstd it first", {{{0, "\x28\xb5\x2f\xfd"sv}}}},
    Row{FileKind::lz4, "compressed by lz4", "unlz4 it first", {{{0, "\x04\x22\x4d\x18"sv}}}},
    Row{FileKind::seven_zip, "a 7-Zip archive", unpack, {{{0, "7z\xbc\xaf\x27\x1c"sv}}}},
    Row{FileKind::rar, "a RAR archive", unpack, {{{0, "Rar!\x1a\x07"sv}}}},
    Row{FileKind::tar, "a tar archive", unpack, {{{257, "ustar\0"sv}, {257, "ustar  \0"sv}}}},
    Row{FileKind::jpeg, "a JPEG image", as_png, {{{0, "\xff\xd8\xff"sv}}}},
    Row{FileKind::gif, "a GIF image", as_png, {{{0, "GIF87a"sv}, {0, "GIF89a"sv}}}},
    Row{FileKind::webp, "a WebP image", as_png, {{{8, "WEBPVP8"sv}}}},
    Row{FileKind::tiff, "a TIFF image", as_png, {{{0, "II*\0"sv}, {0, "MM\0*"sv}}}},
    Row{FileKind::sound,
        "a sound file (WAV, FLAC, Ogg or MP3)",
        "save its samples as .npy",
        {{{8, "WAVEfmt "sv}, {0, "fLaC\0"sv}, {0, "OggS\0"sv}, {0, "ID3\2"sv}, {0, "ID3\3"sv}, {0, "ID3\4"sv}}}},
    Row{FileKind::pdf, "a PDF document", "export its data as a table or as arrays", {{{0, "%PDF-"sv}}}},
    Row{FileKind::tflite,
        "a TensorFlow Lite model",
        "convert the original model to ONNX, for onnx::load",
        {{{4, "TFL3"sv}}}},
    Row{FileKind::gguf,
        "a GGUF file of llama.cpp",
        "get the model's weights as safetensors",
        {{{0, "GGUF\3\0\0\0"sv}, {0, "GGUF\2\0\0\0"sv}}}},
    Row{FileKind::parquet, "a Parquet table", as_columns, {{{0, "PAR1\x15"sv}}}},
    Row{FileKind::arrow, "an Arrow or Feather table", as_columns, {{{0, "ARROW1\0\0"sv}, {0, "FEA1\0"sv}}}},
    Row{FileKind::sqlite,
        "an SQLite database",
        "export the table as CSV, for read_csv: sqlite3 -header -csv FILE 'select * from ...'",
        {{{0, "SQLite format 3\0"sv}}}},
    Row{FileKind::program,
        "a compiled program or library",
        "is it the right file?",
        {{{0,
           "\x7f"
           "ELF"sv},
          {0, "MZ\x90\0"sv},
          {0, "\xcf\xfa\xed\xfe"sv},
          {0, "\xca\xfe\xba\xbe"sv}}}},
    Row{FileKind::utf32,
        "text in UTF-32",
        "save it as UTF-8: iconv -f UTF-32 -t UTF-8",
        {{{0, "\xff\xfe\0\0"sv}, {0, "\0\0\xfe\xff"sv}}}},
    Row{FileKind::utf16,
        "text in UTF-16",
        "save it as UTF-8: iconv -f UTF-16 -t UTF-8",
        {{{0, "\xff\xfe"sv}, {0, "\xfe\xff"sv}}},
        looks_like::unmarked_utf16},
    Row{FileKind::git_lfs,
        "a git-lfs pointer, not the file itself",
        "'git lfs pull' fetches the file",
        {{{0, "version https://git-lfs"sv}}}},
    Row{FileKind::excel, "an Excel workbook", "save the sheet as CSV in UTF-8, for read_csv", {}, looks_like::excel},
    Row{FileKind::torchscript, "a TorchScript archive", from_torchscript, {}, looks_like::torchscript},
    Row{FileKind::pytorch, "a PyTorch checkpoint", from_pytorch, {}, looks_like::pytorch},
    Row{FileKind::keras, "a Keras model (.keras)", from_keras, {}, looks_like::keras},
    Row{FileKind::npz, "a .npz archive", "NpzFile and datasets::npz read it", {}, looks_like::npz},
    Row{FileKind::zip, "a zip archive", unpack, {}, looks_like::zip},
    Row{FileKind::idx, "an IDX file", "read_idx reads it", {}, looks_like::idx},
    Row{FileKind::pgm, "a PGM image", pixels, {}, looks_like::pgm},
    Row{FileKind::bmp, "a BMP image", as_png, {}, looks_like::bmp},
    Row{FileKind::tensorflow, "a TensorFlow graph (saved_model.pb)", from_tensorflow, {}, looks_like::tensorflow},
    Row{FileKind::core_ml,
        "a Core ML model",
        "convert the original model to ONNX, for onnx::load",
        {},
        looks_like::core_ml},
    Row{FileKind::onnx, "an ONNX model", "onnx::load reads it", {}, looks_like::onnx},
    Row{FileKind::html,
        "a web page",
        "the download returned a page about the file, not the file itself",
        {},
        looks_like::html},
    Row{FileKind::xml,
        "an XML document",
        "if it was downloaded, it may say why the download failed",
        {},
        looks_like::xml},
    Row{FileKind::json, "a JSON text", "Cornu reads no arrays or weights from JSON", {}, looks_like::json},
    Row{FileKind::csv, "a table as text (CSV)", "read_csv reads it", {}, looks_like::csv},
    Row{FileKind::text, "a text file", "is it the right file?", {}, looks_like::plain_text},
    Row{FileKind::unknown, "a file of unknown kind", "is it the right file, and complete?"},
};

const Row& row_of(FileKind kind) {
  return *std::find_if(table.begin(), table.end() - 1, [&](const Row& row) { return row.kind == kind; });
}

bool fits(const Row& row, std::string_view text) {
  return (row.matches != nullptr && row.matches(text)) ||
         std::any_of(row.signatures.begin(), row.signatures.end(), [&](const Signature& one) {
           return !one.bytes.empty() && looks_like::has_at(text, one.at, one.bytes);
         });
}

}  // namespace

FileKind file_kind(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::find_if(table.begin(), table.end() - 1, [&](const Row& row) { return fits(row, text); })->kind;
}

const char* name_of(FileKind kind) { return row_of(kind).name; }
const char* remedy_for(FileKind kind) { return row_of(kind).remedy; }

std::string described(FileKind kind) { return message("this is {}; {}", name_of(kind), remedy_for(kind)); }

std::string beginning_of(std::span<const std::byte> bytes) {
  constexpr std::size_t most = 8;
  std::string text;
  for (const std::byte byte : bytes.first(std::min(bytes.size(), most))) {
    text += fmt::format("{}{:02X}", text.empty() ? "" : " ", static_cast<unsigned>(byte));
  }
  return text;
}

std::string described_if_foreign(std::span<const std::byte> bytes, std::initializer_list<FileKind> expected) {
  const FileKind kind = file_kind(bytes);
  if (kind == FileKind::unknown || std::find(expected.begin(), expected.end(), kind) != expected.end()) return "";
  return described(kind);
}

}  // namespace cornu::detail
