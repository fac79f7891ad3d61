#include "cornu/formats/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "cornu/core/text/utf8.h"

namespace cornu::detail {

namespace {

using namespace std::string_view_literals;

bool has_at(std::string_view text, std::size_t at, std::string_view part) {
  return text.size() >= at && text.substr(at).starts_with(part);
}

// ---- Formats without a common magic ----

/// The header's length, whose upper three bytes are zero even in the largest file, then a JSON object.
bool is_safetensors(std::string_view text) { return has_at(text, 5, "\0\0\0{"sv); }

/// Two zeros, a type, a number of dimensions.
bool is_idx(std::string_view text) {
  return text.size() > 3 && text.starts_with("\0\0"sv) && text[2] >= 0x08 && text[2] <= 0x0E && text[2] != 0x0A;
}

bool is_pgm(std::string_view text) {
  return text.size() > 2 && text[0] == 'P' && (text[1] == '2' || text[1] == '5') &&
         " \t\r\n#"sv.find(text[2]) != std::string_view::npos;
}

/// "BM", the file size, four zeros.
bool is_bmp(std::string_view text) { return text.starts_with("BM") && has_at(text, 6, "\0\0\0\0"sv); }

/// ASCII characters with a zero before or after each, and no byte order mark.
bool is_unmarked_utf16(std::string_view text) {
  constexpr std::size_t looked_at = 64;
  text = text.substr(0, std::min(text.size(), looked_at) / 2 * 2);
  if (text.size() < 8) return false;
  for (const std::size_t zeros : {0U, 1U}) {
    bool all = true;
    for (std::size_t i = 0; i < text.size() && all; ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      all = i % 2 == zeros ? c == 0 : c == '\t' || c == '\n' || c == '\r' || (c >= ' ' && c <= '~');
    }
    if (all) return true;
  }
  return false;
}

// ---- Protocol buffers ----

/// The position of a field's content, for a field at `at` with this tag and a length; 0 if there is no such field.
std::size_t content_of(std::string_view text, std::size_t at, char tag) {
  if (at >= text.size() || text[at] != tag) return 0;
  ++at;
  while (at < text.size() && (text[at] & '\x80') != 0) ++at;  // the length is a varint: skip all but its last byte
  return at + 1;
}

/// Checks that field 1 is a small version number. Returns the position of field 2, or 0.
std::size_t versioned(std::string_view text) {
  return text.size() > 2 && text[0] == '\x08' && text[1] >= 1 && text[1] < 0x20 ? 2 : 0;
}

/// SavedModel and Core ML's Model: field 2 is a message that begins with a message; in ONNX it is the producer's name.
bool has_described_version(std::string_view text) {
  const std::size_t at = versioned(text) != 0 ? content_of(text, 2, '\x12') : 0;
  return at != 0 && at < text.size() && text[at] == '\x0a';
}

/// tensorflow.SavedModel version 1, or a GraphDef: nodes that begin with a name and an op.
bool is_tensorflow(std::string_view text) {
  if (has_described_version(text)) return text[1] == 1;
  std::size_t at = content_of(text, 0, '\x0a');
  if (at == 0 || !has_at(text, at, "\x0a") || at + 1 >= text.size()) return false;
  const auto name = static_cast<unsigned char>(text[at + 1]);
  at += 2 + name;
  const std::size_t op = content_of(text, at, '\x12');
  return name < 0x80 && op != 0 && op < text.size() && std::isupper(static_cast<unsigned char>(text[op])) != 0;
}

bool is_core_ml(std::string_view text) { return has_described_version(text) && text[1] > 1; }

/// ONNX has no magic, but all writers begin with the IR version. Another field of ModelProto follows: a number or a
/// message.
bool is_onnx(std::string_view text) {
  if (versioned(text) == 0 || has_described_version(text)) return false;
  const auto tag = static_cast<unsigned char>(text[2]);
  const unsigned field = tag >> 3 & 15, wire_type = tag & 7;
  return field >= 1 && (wire_type == 0 || wire_type == 2);
}

// ---- Zip archives, recognised by their members' names ----

bool is_zip(std::string_view text) { return text.starts_with("PK\3\4") || text.starts_with("PK\5\6"); }

/// Searches the first local header and the directory at the end of the file.
bool has_member(std::string_view text, std::string_view name) {
  constexpr std::size_t looked_at = 1 << 16;
  const std::string_view head = text.substr(0, 512), tail = text.substr(text.size() - std::min(text.size(), looked_at));
  return is_zip(text) && (head.find(name) != std::string_view::npos || tail.find(name) != std::string_view::npos);
}

bool is_excel(std::string_view text) { return has_member(text, "[Content_Types].xml"); }
bool is_pytorch(std::string_view text) { return has_member(text, "data.pkl"); }
bool is_keras(std::string_view text) {
  return has_member(text, "model.weights.h5") || (has_member(text, "config.json") && has_member(text, "metadata.json"));
}
bool is_npz(std::string_view text) { return has_member(text, ".npy") || text.starts_with("PK\5\6"); }

// ---- Text ----

/// True for UTF-8 that is mostly ASCII, and for lines in an 8-bit encoding; NUL is not allowed. A few other control
/// characters are: a delimiter, terminal escapes, the end-of-file mark of DOS. `is_cut`: the last character may be
/// incomplete.
bool is_printable_text(std::string_view text, bool is_cut) {
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && " \t\r\n\f\v"sv.find(c) == std::string_view::npos) || c == '\x7f';
  };
  const auto controls = std::count_if(text.begin(), text.end(), is_control);
  if (text.find('\0') != std::string_view::npos) return false;
  const bool has_lines = text.find('\n') != std::string_view::npos;
  if ((has_lines ? 4 : 16) * controls > std::ssize(text)) return false;
  const auto beyond_ascii = std::count_if(text.begin(), text.end(), [](char c) { return (c & '\x80') != 0; });
  if (2 * beyond_ascii <= std::ssize(text) || (has_lines && controls == 0)) return true;
  constexpr std::size_t longest = 4;  // the longest UTF-8 character, in bytes
  while (!text.empty()) {
    const std::size_t size = utf8_length(text);
    if (size == 0) return is_cut && text.size() < longest;
    text.remove_prefix(size);
  }
  return true;
}

/// The beginning of the text, without byte order mark and leading space; nothing if the bytes are not text.
std::optional<std::string_view> beginning_of_text(std::string_view text) {
  constexpr std::size_t looked_at = 4096;
  const bool is_cut = text.size() >= looked_at;
  text = text.substr(0, looked_at);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (!is_printable_text(text, is_cut)) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text;
}

bool begins_with_word(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         std::equal(lower_case.begin(), lower_case.end(), text.begin(),
                    [](char wanted, char c) { return wanted == std::tolower(static_cast<unsigned char>(c)); });
}

bool is_html(std::string_view whole) {
  const std::string_view text = beginning_of_text(whole).value_or("");
  constexpr std::array tags{"<!doctype html"sv, "<html"sv, "<head"sv, "<body"sv, "<script"sv};
  return std::any_of(tags.begin(), tags.end(), [&](std::string_view tag) { return begins_with_word(text, tag); });
}

bool is_xml(std::string_view text) { return begins_with_word(beginning_of_text(text).value_or(""), "<?xml"); }

bool is_json(std::string_view whole) {
  const std::string_view text = beginning_of_text(whole).value_or("");
  if (!text.starts_with('{') && !text.starts_with('[')) return false;
  const std::size_t next = text.find_first_not_of(" \t\r\n", 1);
  return next != std::string_view::npos && R"("{}[]-0123456789tfn)"sv.find(text[next]) != std::string_view::npos;
}

/// Pickle protocols 0 and 1, which are partly text: "(dp0\n", "(lp1\n", "cnumpy.core.multiarray\n_reconstruct\np0\n".
bool is_text_pickle(std::string_view text) {
  if (text.starts_with("(dp") || text.starts_with("(lp")) {
    const std::size_t end = text.find_first_not_of("0123456789", 3);
    return end != std::string_view::npos && end > 3 && text[end] == '\n';
  }
  const std::size_t end = text.substr(0, 256).find('\n');
  if (!text.starts_with('c') || end == std::string_view::npos) return false;
  const std::string_view module = text.substr(1, end - 1);
  const std::string_view name = text.substr(end + 1, text.find('\n', end + 1) - end - 1);
  const auto is_name_of_python = [](std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(),
                                        [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '.'; });
  };
  const std::string_view after = text.substr(std::min(text.size(), end + 1 + name.size()), 2);
  const bool is_known = module.find('.') != std::string_view::npos || module == "copy_reg" || module == "collections" ||
                        module == "__builtin__" || module == "__main__";
  return is_known && is_name_of_python(module) && is_name_of_python(name) && (after == "\np" || after == "\nq");
}

bool is_csv(std::string_view whole) {
  const std::string_view text = beginning_of_text(whole).value_or("");
  return text.substr(0, text.find_first_of("\r\n")).find_first_of(",;\t") != std::string_view::npos;
}

bool is_text(std::string_view text) { return beginning_of_text(text).has_value(); }

bool is_empty(std::string_view text) { return text.empty(); }

// ---- The table ----

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
    "in Python, safetensors.torch.save_file(model.state_dict(), \"m.safetensors\") makes a file for load_weights with "
    ".names = Names::pytorch, and torch.onnx.export a model for onnx::load";
constexpr const char* from_keras =
    "in Python, model.export(\"m.onnx\", format=\"onnx\") makes a model for onnx::load, and "
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
        is_safetensors},
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
        from_pytorch,
        {{{0, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19"sv}}}},
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
        is_text_pickle},
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
        is_unmarked_utf16},
    Row{FileKind::git_lfs,
        "a git-lfs pointer, not the file itself",
        "'git lfs pull' fetches the file",
        {{{0, "version https://git-lfs"sv}}}},
    Row{FileKind::excel, "an Excel workbook", "save the sheet as CSV in UTF-8, for read_csv", {}, is_excel},
    Row{FileKind::pytorch, "a PyTorch checkpoint", from_pytorch, {}, is_pytorch},
    Row{FileKind::keras, "a Keras model (.keras)", from_keras, {}, is_keras},
    Row{FileKind::npz, "a .npz archive", "NpzFile and datasets::npz read it", {}, is_npz},
    Row{FileKind::zip, "a zip archive", unpack, {}, is_zip},
    Row{FileKind::idx, "an IDX file", "read_idx reads it", {}, is_idx},
    Row{FileKind::pgm, "a PGM image", pixels, {}, is_pgm},
    Row{FileKind::bmp, "a BMP image", as_png, {}, is_bmp},
    Row{FileKind::tensorflow, "a TensorFlow graph (saved_model.pb)", from_tensorflow, {}, is_tensorflow},
    Row{FileKind::core_ml, "a Core ML model", "convert the original model to ONNX, for onnx::load", {}, is_core_ml},
    Row{FileKind::onnx, "an ONNX model", "onnx::load reads it", {}, is_onnx},
    Row{FileKind::html, "a web page", "the download returned a page about the file, not the file itself", {}, is_html},
    Row{FileKind::xml, "an XML document", "if it was downloaded, it may say why the download failed", {}, is_xml},
    Row{FileKind::json, "a JSON text", "Cornu reads no arrays or weights from JSON", {}, is_json},
    Row{FileKind::csv, "a table as text (CSV)", "read_csv reads it", {}, is_csv},
    Row{FileKind::text, "a text file", "is it the right file?", {}, is_text},
    Row{FileKind::unknown, "a file of unknown kind", "is it the right file, and complete?"},
};

const Row& row_of(FileKind kind) {
  return *std::find_if(table.begin(), table.end() - 1, [&](const Row& row) { return row.kind == kind; });
}

bool fits(const Row& row, std::string_view text) {
  return (row.matches != nullptr && row.matches(text)) ||
         std::any_of(row.signatures.begin(), row.signatures.end(),
                     [&](const Signature& one) { return !one.bytes.empty() && has_at(text, one.at, one.bytes); });
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
