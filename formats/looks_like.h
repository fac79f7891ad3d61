#pragma once

#include <cstddef>
#include <string_view>

/// Recognises the formats that a fixed signature does not identify: by their structure, by the names of an archive's
/// members, or as text. Each function is given the whole file. file_kind.h tries them in order, since a file can look
/// like several of them.
namespace cornu::detail::looks_like {

/// True if `text` has `part` at position `at`.
inline bool has_at(std::string_view text, std::size_t at, std::string_view part) {
  return text.size() >= at && text.substr(at).starts_with(part);
}

bool safetensors(std::string_view text);
bool idx(std::string_view text);
bool pgm(std::string_view text);
bool bmp(std::string_view text);
bool unmarked_utf16(std::string_view text);

bool tensorflow(std::string_view text);
bool core_ml(std::string_view text);
bool onnx(std::string_view text);

bool zip(std::string_view text);
bool excel(std::string_view text);
bool old_pytorch(std::string_view text);
bool pytorch(std::string_view text);
bool torchscript(std::string_view text);
bool keras(std::string_view text);
bool npz(std::string_view text);

bool html(std::string_view text);
bool xml(std::string_view text);
bool json(std::string_view text);
bool text_pickle(std::string_view text);
bool csv(std::string_view text);
/// Any text.
bool plain_text(std::string_view text);

}  // namespace cornu::detail::looks_like
