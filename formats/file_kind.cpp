#include "cornu/formats/file_kind.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "cornu/core/utf8.h"

namespace cornu::detail {

namespace {

using namespace std::string_view_literals;

struct Magic {
  std::size_t at;
  std::string_view bytes;
  FileKind kind;
};

/// Those that nothing else can begin with, not even a table whose first column is called PAR1. Source: file(1)'s magic
/// and each format's specification.
constexpr std::array magics{
    Magic{0, "\x93NUMPY"sv, FileKind::npy},
    Magic{0, "\x89PNG\r\n\x1a\n"sv, FileKind::png},
    Magic{0, "\x89HDF\r\n\x1a\n"sv, FileKind::hdf5},
    Magic{0, "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19"sv, FileKind::old_pytorch},
    Magic{0, "\x80\x02"sv, FileKind::pickle},
    Magic{0, "\x80\x03"sv, FileKind::pickle},
    Magic{0, "\x80\x04\x95"sv, FileKind::pickle},
    Magic{0, "\x80\x05\x95"sv, FileKind::pickle},
    Magic{0, "\x1f\x8b\x08"sv, FileKind::gzip},
    Magic{4, "1AY&SY"sv, FileKind::bzip2},
    Magic{0,
          "\xfd"
          "7zXZ\0"sv,
          FileKind::xz},
    Magic{0, "\x28\xb5\x2f\xfd"sv, FileKind::zstd},
    Magic{257, "ustar"sv, FileKind::tar},
    Magic{0, "\xff\xd8\xff"sv, FileKind::jpeg},
    Magic{0, "GIF87a"sv, FileKind::gif},
    Magic{0, "GIF89a"sv, FileKind::gif},
    Magic{8, "WEBPVP8"sv, FileKind::webp},
    Magic{0, "II*\0"sv, FileKind::tiff},
    Magic{0, "MM\0*"sv, FileKind::tiff},
    Magic{4, "TFL3"sv, FileKind::tflite},
    Magic{0, "GGUF\3\0\0\0"sv, FileKind::gguf},
    Magic{0, "GGUF\2\0\0\0"sv, FileKind::gguf},
    Magic{0, "PAR1\x15"sv, FileKind::parquet},
    Magic{0, "\xff\xfe"sv, FileKind::utf16},
    Magic{0, "\xfe\xff"sv, FileKind::utf16},
    Magic{0, "version https://git-lfs"sv, FileKind::git_lfs},
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool has_at(std::string_view text, std::size_t at, std::string_view part) {
  return text.size() >= at && text.substr(at).starts_with(part);
}

/// A length that no more than a file of 16 terabytes needs, and a JSON object.
bool is_safetensors(std::string_view text) {
  constexpr std::size_t longest = 100'000'000;
  if (text.size() < 9 || text[8] != '{') return false;
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(text[i]);
  return length >= 2 && length <= longest;
}

/// Two zeros, a type, a number of dimensions.
bool is_idx(std::string_view text) {
  return text.size() > 3 && text.starts_with("\0\0"sv) && text[2] >= 0x08 && text[2] <= 0x0E && text[2] != 0x0A;
}

bool is_pgm(std::string_view text) {
  return text.size() > 2 && text[0] == 'P' && (text[1] == '2' || text[1] == '5') &&
         " \t\r\n#"sv.find(text[2]) != std::string_view::npos;
}

/// Two letters, the file's size, four zeros.
bool is_bmp(std::string_view text) { return text.starts_with("BM") && has_at(text, 6, "\0\0\0\0"sv); }

/// ONNX has no magic number, but everybody begins with the version of the IR: field 1, a small number. Another field of
/// ModelProto follows: a number or a message.
bool is_onnx(std::string_view text) {
  if (text.size() < 3 || text[0] != 0x08 || text[1] < 1 || text[1] >= 0x20) return false;
  const auto tag = static_cast<unsigned char>(text[2]);
  const unsigned field = tag >> 3 & 15, wire_type = tag & 7;
  return field >= 1 && (wire_type == 0 || wire_type == 2);
}

FileKind zip_kind(std::string_view text) {
  // The first file's name follows its header of 30 bytes; the directory with all names is at the end.
  constexpr std::size_t looked_at = 1 << 16;
  const std::string_view head = text.substr(0, 512), tail = text.substr(text.size() - std::min(text.size(), looked_at));
  const auto has = [&](std::string_view name) {
    return head.find(name) != std::string_view::npos || tail.find(name) != std::string_view::npos;
  };
  if (has("[Content_Types].xml")) return FileKind::excel;
  if (has("data.pkl")) return FileKind::pytorch;
  if (has("model.weights.h5") || (has("config.json") && has("metadata.json"))) return FileKind::keras;
  return has(".npy") || text.starts_with("PK\5\6") ? FileKind::npz : FileKind::zip;
}

bool begins_with_word(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         std::equal(lower_case.begin(), lower_case.end(), text.begin(),
                    [](char wanted, char c) { return wanted == std::tolower(static_cast<unsigned char>(c)); });
}

/// UTF-8, or mostly ASCII, and no NUL. `is_cut`: the last character may be incomplete. Text may have a few other
/// control characters: a delimiter, a terminal's escapes, the mark at the end of a file of DOS.
bool is_text(std::string_view text, bool is_cut) {
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && " \t\r\n\f\v"sv.find(c) == std::string_view::npos) || c == '\x7f';
  };
  const auto controls = std::count_if(text.begin(), text.end(), is_control);
  if (text.find('\0') != std::string_view::npos || 4 * controls > std::ssize(text)) return false;
  const auto beyond_ascii = std::count_if(text.begin(), text.end(), [](char c) { return (c & '\x80') != 0; });
  if (2 * beyond_ascii <= std::ssize(text)) return true;
  constexpr std::size_t longest = 4;  // bytes of a character, which may be cut off
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    if (size == 0) return is_cut && text.size() < longest;
    text.remove_prefix(size);
  }
  return true;
}

FileKind text_kind(std::string_view text) {
  constexpr std::size_t looked_at = 4096;
  const bool is_cut = text.size() >= looked_at;
  text = text.substr(0, looked_at);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  if (!is_text(text, is_cut)) return FileKind::unknown;
  constexpr std::string_view space = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
  for (const std::string_view tag : {"<!doctype html"sv, "<html"sv, "<head"sv, "<body"sv, "<script"sv}) {
    if (begins_with_word(text, tag)) return FileKind::html;
  }
  if (begins_with_word(text, "<?xml")) return FileKind::xml;
  if (text.starts_with('{') || text.starts_with('[')) {
    const std::size_t next = text.find_first_not_of(space, 1);
    if (next != std::string_view::npos && R"("{}[]-0123456789tfn)"sv.find(text[next]) != std::string_view::npos)
      return FileKind::json;
  }
  const std::string_view line = text.substr(0, text.find_first_of("\r\n"));
  return line.find_first_of(",;\t") != std::string_view::npos ? FileKind::csv : FileKind::text;
}

struct Words {
  FileKind kind;
  const char* name;
  const char* remedy;
};

constexpr const char* from_pytorch =
    "in Python, safetensors.torch.save_file(model.state_dict(), \"m.safetensors\") makes a file for load_weights with "
    ".names = Names::pytorch, and torch.onnx.export a model for onnx::load";
constexpr const char* from_keras =
    "in Python, model.export(\"m.onnx\", format=\"onnx\") makes a model for onnx::load, and "
    "safetensors.numpy.save_file({v.path: v.numpy() for v in model.weights}, \"m.safetensors\") a file for "
    "load_weights with .names = Names::keras";
constexpr const char* as_png = "save it as PNG, which 'cornu predict' reads, or its pixels as .npy";
constexpr const char* unpack = "unpack it first";

constexpr std::array table{
    Words{FileKind::safetensors, "a safetensors file",
          "Sequential::load reads a model, load_weights weights, SafetensorsFile any tensors"},
    Words{FileKind::onnx, "an ONNX model", "onnx::load reads it"},
    Words{FileKind::npy, "a .npy array", "NpyFile reads it"},
    Words{FileKind::npz, "a .npz archive", "NpzFile and datasets::npz read it"},
    Words{FileKind::idx, "an IDX file", "read_idx reads it"},
    Words{FileKind::csv, "a table as text (CSV)", "read_csv reads it"},
    Words{FileKind::png, "a PNG image", "'cornu predict' reads it; a program needs its pixels, as .npy for instance"},
    Words{FileKind::pgm, "a PGM image", "'cornu predict' reads it; a program needs its pixels, as .npy for instance"},
    Words{FileKind::pytorch, "a PyTorch checkpoint", from_pytorch},
    Words{FileKind::old_pytorch, "a PyTorch checkpoint of a version before 1.6", from_pytorch},
    Words{FileKind::pickle, "a Python pickle", "load it in Python and save its arrays with numpy.savez"},
    Words{FileKind::keras, "a Keras model (.keras)", from_keras},
    Words{FileKind::hdf5, "an HDF5 file, as Keras's .h5", from_keras},
    Words{FileKind::tflite, "a TensorFlow Lite model",
          "convert the model that it was made from to ONNX, for onnx::load"},
    Words{FileKind::gguf, "a GGUF file of llama.cpp", "get the model's weights as safetensors"},
    Words{FileKind::jpeg, "a JPEG image", as_png},
    Words{FileKind::gif, "a GIF image", as_png},
    Words{FileKind::webp, "a WebP image", as_png},
    Words{FileKind::bmp, "a BMP image", as_png},
    Words{FileKind::tiff, "a TIFF image", as_png},
    Words{FileKind::git_lfs, "a pointer of git-lfs, not the file itself", "'git lfs pull' fetches the file"},
    Words{FileKind::html, "a web page", "the download got a page about the file; get the file itself"},
    Words{FileKind::xml, "an XML document", "if it comes from a download, it says there why that failed"},
    Words{FileKind::json, "a JSON text", "it has no arrays or weights that are read"},
    Words{FileKind::utf16, "text in UTF-16", "save it as UTF-8: iconv -f UTF-16 -t UTF-8"},
    Words{FileKind::excel, "an Excel workbook", "save the sheet as CSV in UTF-8, for read_csv"},
    Words{FileKind::zip, "a zip archive", unpack},
    Words{FileKind::gzip, "compressed by gzip", "gunzip it first"},
    Words{FileKind::bzip2, "compressed by bzip2", "bunzip2 it first"},
    Words{FileKind::xz, "compressed by xz", "unxz it first"},
    Words{FileKind::zstd, "compressed by zstd", "unzstd it first"},
    Words{FileKind::tar, "a tar archive", unpack},
    Words{FileKind::parquet, "a Parquet table", "save it as CSV, for read_csv, or its columns with numpy.savez"},
    Words{FileKind::text, "a text file", "is it the right file?"},
    Words{FileKind::empty, "an empty file", "was it written, or downloaded, to its end?"},
    Words{FileKind::unknown, "a file of a kind that is not known", "is it the right file, and whole?"},
};

const Words& words_of(FileKind kind) {
  return *std::find_if(table.begin(), table.end() - 1, [&](const Words& words) { return words.kind == kind; });
}

}  // namespace

FileKind file_kind(std::span<const std::byte> bytes) {
  const std::string_view text = text_of(bytes);
  if (text.empty()) return FileKind::empty;
  if (is_safetensors(text)) return FileKind::safetensors;
  for (const Magic& magic : magics) {
    if (has_at(text, magic.at, magic.bytes)) return magic.kind;
  }
  if (text.starts_with("PK\3\4") || text.starts_with("PK\5\6")) return zip_kind(text);
  if (is_idx(text)) return FileKind::idx;
  if (is_pgm(text)) return FileKind::pgm;
  if (is_bmp(text)) return FileKind::bmp;
  if (is_onnx(text)) return FileKind::onnx;
  return text_kind(text);
}

const char* name_of(FileKind kind) { return words_of(kind).name; }
const char* remedy_for(FileKind kind) { return words_of(kind).remedy; }

std::string described_if_foreign(std::span<const std::byte> bytes, std::initializer_list<FileKind> expected) {
  const FileKind kind = file_kind(bytes);
  if (kind == FileKind::unknown || std::find(expected.begin(), expected.end(), kind) != expected.end()) return "";
  return message("this is {}; {}", name_of(kind), remedy_for(kind));
}

}  // namespace cornu::detail
