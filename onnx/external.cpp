#include "cornu/onnx/external.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

namespace cornu::onnx::detail {

namespace {

/// A count of bytes as ONNX writes it, in decimal digits; `otherwise` for an empty text.
std::size_t number_of(std::string_view text, const char* what, std::size_t otherwise) {
  if (text.empty()) return otherwise;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  require<FormatError>(error == std::errc() && end == text.data() + text.size(),
                       "the {} of its external data is '{}', not a number", what, text);
  return number;
}

}  // namespace

std::span<const std::byte> ExternalFiles::file(std::string_view location) {
  if (const auto found = files_.find(location); found != files_.end()) return found->second->bytes();
  require<FormatError>(!folder_.empty(),
                       "its elements are in the file '{}' (external data), but the model was read from memory; load it "
                       "from its file, beside which that one must lie",
                       location);
  namespace fs = std::filesystem;
  const fs::path relative{std::string(location)};
  const bool goes_up = std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
  require<FormatError>(
      !location.empty() && location.find('\0') == std::string_view::npos && relative.is_relative() && !goes_up,
      "its external data is in '{}'; a path inside of the model's folder is required", location);
  // A link may lead out of the folder: compare the paths behind all links.
  std::error_code failure;
  const fs::path root = fs::canonical(folder_, failure);
  fs::path target;
  if (!failure) target = fs::canonical(fs::path(folder_) / relative, failure);
  if (failure) {
    throw FileError(message("its external data '{}' cannot be opened: {}; the file must lie in the folder of the model",
                            location, failure.message()));
  }
  const auto [own, inside] = std::mismatch(root.begin(), root.end(), target.begin(), target.end());
  require<FormatError>(own == root.end() && inside != target.end(),
                       "its external data '{}' is a link out of the model's folder", location);
  auto opened = std::make_unique<FileBytes>(target.string(), true);
  budget_.add(opened->bytes().size());
  return files_.emplace(std::string(location), std::move(opened)).first->second->bytes();
}

std::span<const std::byte> ExternalFiles::bytes(const ExternalPlace& place) {
  const std::span<const std::byte> all = file(place.location);
  const std::size_t offset = number_of(place.offset, "offset", 0);
  require<FormatError>(offset <= all.size(), "its external data begins at byte {} of '{}', which has {} bytes", offset,
                       place.location, all.size());
  const std::size_t length = number_of(place.length, "length", all.size() - offset);
  require<FormatError>(length <= all.size() - offset,
                       "its external data is bytes {} to {} + {} of '{}', which has {} bytes", offset, offset, length,
                       place.location, all.size());
  return all.subspan(offset, length);
}

}  // namespace cornu::onnx::detail
