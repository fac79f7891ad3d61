#include "cornu/formats/looks_like.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "cornu/core/text/utf8.h"

namespace cornu::detail::looks_like {

using namespace std::string_view_literals;

/// The header's length, whose upper three bytes are zero even in the largest file, then a JSON object.
bool safetensors(std::string_view text) { return has_at(text, 5, "\0\0\0{"sv); }

/// Two zeros, a type, a number of dimensions.
bool idx(std::string_view text) {
  return text.size() > 3 && text.starts_with("\0\0"sv) && text[2] >= 0x08 && text[2] <= 0x0E && text[2] != 0x0A;
}

bool pgm(std::string_view text) {
  return text.size() > 2 && text[0] == 'P' && (text[1] == '2' || text[1] == '5') &&
         " \t\r\n#"sv.find(text[2]) != std::string_view::npos;
}

/// "BM", the file size, four zeros.
bool bmp(std::string_view text) { return text.starts_with("BM") && has_at(text, 6, "\0\0\0\0"sv); }

/// ASCII characters with a zero before or after each, and no byte order mark.
bool unmarked_utf16(std::string_view text) {
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

namespace {

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

}  // namespace

/// tensorflow.SavedModel version 1, or a GraphDef: nodes that begin with a name and an op.
bool tensorflow(std::string_view text) {
  if (has_described_version(text)) return text[1] == 1;
  std::size_t at = content_of(text, 0, '\x0a');
  if (at == 0 || !has_at(text, at, "\x0a") || at + 1 >= text.size()) return false;
  const auto name = static_cast<unsigned char>(text[at + 1]);
  at += 2 + name;
  const std::size_t op = content_of(text, at, '\x12');
  return name < 0x80 && op != 0 && op < text.size() && std::isupper(static_cast<unsigned char>(text[op])) != 0;
}

bool core_ml(std::string_view text) { return has_described_version(text) && text[1] > 1; }

/// ONNX has no magic, but all writers begin with the IR version. Another field of ModelProto follows: a number or a
/// message.
bool onnx(std::string_view text) {
  if (versioned(text) == 0 || has_described_version(text)) return false;
  const auto tag = static_cast<unsigned char>(text[2]);
  const unsigned field = tag >> 3 & 15, wire_type = tag & 7;
  return field >= 1 && (wire_type == 0 || wire_type == 2);
}

/// A tar archive of the members that torch.save wrote before version 0.1.10 of PyTorch.
bool old_pytorch(std::string_view text) {
  return has_at(text, 257, "ustar") && (has_at(text, 0, "sys_info\0"sv) || has_at(text, 0, "storages\0"sv));
}

// ---- Zip archives, recognised by their members' names ----

bool zip(std::string_view text) { return text.starts_with("PK\3\4") || text.starts_with("PK\5\6"); }

namespace {

/// Searches the first local header and the directory at the end of the file.
bool has_member(std::string_view text, std::string_view name) {
  constexpr std::size_t looked_at = 1 << 16;
  const std::string_view head = text.substr(0, 512), tail = text.substr(text.size() - std::min(text.size(), looked_at));
  return zip(text) && (head.find(name) != std::string_view::npos || tail.find(name) != std::string_view::npos);
}

}  // namespace

bool excel(std::string_view text) { return has_member(text, "[Content_Types].xml"); }
bool pytorch(std::string_view text) { return has_member(text, "data.pkl"); }
bool torchscript(std::string_view text) { return pytorch(text) && has_member(text, "/constants.pkl"); }
bool keras(std::string_view text) {
  return has_member(text, "model.weights.h5") || (has_member(text, "config.json") && has_member(text, "metadata.json"));
}
bool npz(std::string_view text) { return has_member(text, ".npy") || text.starts_with("PK\5\6"); }

// ---- Text ----

namespace {

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

}  // namespace

bool html(std::string_view whole) {
  const std::string_view text = beginning_of_text(whole).value_or("");
  constexpr std::array tags{"<!doctype html"sv, "<html"sv, "<head"sv, "<body"sv, "<script"sv};
  return std::any_of(tags.begin(), tags.end(), [&](std::string_view tag) { return begins_with_word(text, tag); });
}

bool xml(std::string_view text) { return begins_with_word(beginning_of_text(text).value_or(""), "<?xml"); }

bool json(std::string_view whole) {
  const std::string_view text = beginning_of_text(whole).value_or("");
  if (!text.starts_with('{') && !text.starts_with('[')) return false;
  const std::size_t next = text.find_first_not_of(" \t\r\n", 1);
  return next != std::string_view::npos && R"("{}[]-0123456789tfn)"sv.find(text[next]) != std::string_view::npos;
}

/// Pickle protocols 0 and 1, which are partly text: "(dp0\n", "(lp1\n", "cnumpy.core.multiarray\n_reconstruct\np0\n".
bool text_pickle(std::string_view text) {
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

bool csv(std::string_view whole) {
  const std::string_view text = beginning_of_text(whole).value_or("");
  return text.substr(0, text.find_first_of("\r\n")).find_first_of(",;\t") != std::string_view::npos;
}

bool plain_text(std::string_view text) { return beginning_of_text(text).has_value(); }

}  // namespace cornu::detail::looks_like
