#include "cornu/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/naming.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/json.h"
#include "cornu/formats/safetensors_header.h"

namespace cornu {

namespace {

constexpr std::size_t length_bytes = 8;

/// Splits a file into header and data. Throws FormatError if it is too short.
std::pair<std::string_view, std::span<const std::byte>> parts(std::span<const std::byte> bytes) {
  require<FormatError>(bytes.size() >= length_bytes, "{} bytes; a safetensors file has at least 8", bytes.size());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), length_bytes);
  const std::size_t left = bytes.size() - length_bytes;
  const bool may_be_length =
      length >> 40 == 0 && (length <= left || left == 0 || bytes[length_bytes] == std::byte{'{'});
  require<FormatError>(may_be_length, "it begins with {}, which no safetensors file does", detail::beginning_of(bytes));
  bytes = bytes.subspan(length_bytes);
  require<FormatError>(length <= most_header_bytes, "the header has {} bytes; at most {} are allowed", length,
                       most_header_bytes);
  require<FormatError>(length <= left, "the header has {} bytes, but the file has {} left", length, left);
  return {{reinterpret_cast<const char*>(bytes.data()), length}, bytes.subspan(length)};
}

}  // namespace

// ---- Reading ----

struct SafetensorsFile::Content {
  std::optional<FileBytes> file{};  // none if the bytes are not owned
  NamedTensors tensors;

  Content(const std::string& path, const SafetensorsOptions& options)
      : file(std::in_place, path, options.memory_map), tensors(read(file->bytes(), path)) {}
  Content(std::span<const std::byte> bytes, std::string name) : tensors(read(bytes, std::move(name))) {}

 private:
  static NamedTensors read(std::span<const std::byte> bytes, std::string path) {
    const auto parse = [&] {
      auto [text, data] = parts(bytes);
      SafetensorsHeader header = read_safetensors_header(text, std::ssize(data));
      auto gap = header.gaps.begin();
      for (std::size_t i = 0; i < header.tensors.size(); ++i) {
        for (; gap != header.gaps.end() && gap->first == i; ++gap) {
          data = data.subspan(static_cast<std::size_t>(gap->second));
        }
        RawTensor& tensor = header.tensors[i];
        const auto size = static_cast<std::size_t>(detail::byte_count(tensor.shape, tensor.dtype));
        tensor.bytes = data.first(size);
        data = data.subspan(size);
      }
      return header;
    };
    SafetensorsHeader header =
        detail::naming(path, [&] { return detail::recognising(bytes, {detail::FileKind::safetensors}, parse); });
    return {std::move(path), std::move(header.tensors), std::move(header.unread), std::move(header.metadata)};
  }
};

SafetensorsFile::SafetensorsFile(const std::string& path, const SafetensorsOptions& options)
    : content_(std::make_unique<const Content>(path, options)) {}
SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, std::string name)
    : content_(std::make_unique<const Content>(bytes, std::move(name))) {}
SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const NamedTensors& SafetensorsFile::content() const { return content_->tensors; }
const std::vector<RawTensor>& SafetensorsFile::tensors() const { return content().tensors(); }
const std::vector<UnreadArray>& SafetensorsFile::unread() const { return content().unread(); }
const SafetensorsMetadata& SafetensorsFile::metadata() const { return content().metadata(); }
std::string SafetensorsFile::path() const { return content().path(); }
const RawTensor* SafetensorsFile::find(std::string_view name) const { return content().find(name); }
Tensor SafetensorsFile::tensor(std::string_view name) const { return content().tensor(name); }

// ---- Writing ----

namespace {

/// The content of a file, except for the header's length.
struct Pieces {
  std::string header{};
  std::vector<const RawTensor*> order{};  ///< the tensors in the order of the file
};

Pieces pieces_of(std::span<const RawTensor> tensors, const SafetensorsMetadata& metadata) {
  std::vector<const RawTensor*> order;
  for (const RawTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const RawTensor* a, const RawTensor* b) {
    return std::pair(-size_of(a->dtype), std::tie(a->dtype, a->name)) <
           std::pair(-size_of(b->dtype), std::tie(b->dtype, b->name));
  });

  Json header = Json::Object{};
  if (!metadata.empty()) {
    Json texts;
    for (const auto& [name, text] : metadata) texts.set(name, text);
    header.set("__metadata__", std::move(texts));
  }
  std::int64_t offset = 0;
  for (const RawTensor* tensor : order) {
    Json::Array shape;
    for (const Index dimension : tensor->shape) shape.emplace_back(std::int64_t{dimension});
    Json entry;
    entry.set("dtype", to_string(tensor->dtype));
    entry.set("shape", std::move(shape));
    const std::int64_t end = offset + std::ssize(tensor->bytes);
    entry.set("data_offsets", Json::Array{offset, end});
    header.set(tensor->name, std::move(entry));
    offset = end;
  }
  detail::require_utf8(header);
  std::string text = to_string(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  try {
    for (const RawTensor& tensor : tensors) detail::check_size(tensor);
    // Refuses what would not be read back, such as a duplicate name or a header that is too long.
    read_safetensors_header(text, offset);
  } catch (const Error& error) {
    throw ValueError(error.what());
  }
  return {std::move(text), std::move(order)};
}

/// Calls `write` with the bytes of the file, piece by piece.
template <class Write>
void write_pieces(const Pieces& pieces, Write write) {
  const std::uint64_t length = pieces.header.size();
  write(std::as_bytes(std::span(&length, 1)));
  write(std::as_bytes(std::span(pieces.header)));
  for (const RawTensor* tensor : pieces.order) write(tensor->bytes);
}

}  // namespace

std::vector<std::byte> detail::safetensors_bytes(std::span<const RawTensor> tensors,
                                                 const SafetensorsMetadata& metadata) {
  std::vector<std::byte> result;
  write_pieces(pieces_of(tensors, metadata),
               [&](std::span<const std::byte> bytes) { result.insert(result.end(), bytes.begin(), bytes.end()); });
  return result;
}

void write_safetensors(const std::string& path, std::span<const RawTensor> tensors,
                       const SafetensorsMetadata& metadata) {
  const Pieces pieces = detail::naming(path, [&] { return pieces_of(tensors, metadata); });
  AtomicFile file(path);
  write_pieces(pieces, [&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

}  // namespace cornu
