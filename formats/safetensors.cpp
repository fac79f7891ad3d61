#include "cornu/formats/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/json.h"
#include "cornu/formats/safetensors_header.h"

namespace cornu {

namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are read and written as they are in memory");

constexpr std::size_t length_bytes = 8;

// ---- Numbers ----

float from_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

float from_half(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16, exponent = bits >> 10 & 31u, fraction = bits & 1023u;
  if (exponent == 0) {  // zero, or less than 2^-14: fraction x 2^-24
    const float small = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -small : small;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

template <class Stored, class Convert>
void convert_each(std::span<const std::byte> bytes, const View& to, Convert number) {
  for (Index i = 0; i < to.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + static_cast<std::size_t>(i) * sizeof(Stored), sizeof(Stored));
    to[i] = static_cast<Real>(number(stored));
  }
}
template <class Stored>
void convert_each(std::span<const std::byte> bytes, const View& to) {
  convert_each<Stored>(bytes, to, [](Stored stored) { return stored; });
}

/// The spans of a file's parts. Throws FormatError if it is too short to have them.
std::pair<std::string_view, std::span<const std::byte>> parts(std::span<const std::byte> bytes) {
  require<FormatError>(bytes.size() >= length_bytes, "{} bytes; a file has at least 8", bytes.size());
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), length_bytes);
  bytes = bytes.subspan(length_bytes);
  require<FormatError>(length <= most_header_bytes, "a header of {} bytes; at most {} are allowed", length,
                       most_header_bytes);
  require<FormatError>(length <= bytes.size(), "a header of {} bytes, but {} are left in the file", length,
                       bytes.size());
  return {{reinterpret_cast<const char*>(bytes.data()), length}, bytes.subspan(length)};
}

}  // namespace

RawTensor raw_tensor(std::string name, ConstView view) {
  const auto dimensions = view.shape().dimensions();
  return {.name = std::move(name),
          .dtype = sizeof(Real) == 8 ? Dtype::f64 : Dtype::f32,
          .shape = {dimensions.begin(), dimensions.end()},
          .bytes = std::as_bytes(std::span(view.data(), static_cast<std::size_t>(view.size())))};
}

void convert(const RawTensor& from, View to) {
  require<FormatError>(std::ssize(from.bytes) == to.size() * size_of(from.dtype),
                       "\"{}\": {} bytes of {} for {} numbers", from.name, from.bytes.size(), to_string(from.dtype),
                       to.size());
  const auto bytes = from.bytes;
  switch (from.dtype) {
    case Dtype::f64:
      return convert_each<double>(bytes, to);
    case Dtype::f32:
      return convert_each<float>(bytes, to);
    case Dtype::f16:
      return convert_each<std::uint16_t>(bytes, to, from_half);
    case Dtype::bf16:
      return convert_each<std::uint16_t>(bytes, to, from_bfloat16);
    case Dtype::i64:
      return convert_each<std::int64_t>(bytes, to);
    case Dtype::i32:
      return convert_each<std::int32_t>(bytes, to);
    case Dtype::i16:
      return convert_each<std::int16_t>(bytes, to);
    case Dtype::i8:
      return convert_each<std::int8_t>(bytes, to);
    case Dtype::u64:
      return convert_each<std::uint64_t>(bytes, to);
    case Dtype::u32:
      return convert_each<std::uint32_t>(bytes, to);
    case Dtype::u16:
      return convert_each<std::uint16_t>(bytes, to);
    case Dtype::u8:
      return convert_each<std::uint8_t>(bytes, to);
    case Dtype::boolean:
      return convert_each<std::uint8_t>(bytes, to, [](std::uint8_t truth) { return truth != 0; });
  }
}

// ---- Reading ----

struct SafetensorsFile::Content {
  std::string path;
  FileBytes file;
  SafetensorsHeader header{};

  Content(const std::filesystem::path& where, const SafetensorsOptions& options)
      : path(where.string()), file(where, options.memory_map) {
    try {
      auto [text, data] = parts(file.bytes());
      header = read_safetensors_header(text, std::ssize(data));
      for (RawTensor& tensor : header.tensors) {
        const auto bytes = static_cast<std::size_t>(byte_count(tensor.shape, tensor.dtype));
        tensor.bytes = data.first(bytes);
        data = data.subspan(bytes);
      }
    } catch (Error& error) {
      error.add_context(path);
      throw;
    }
  }
};

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path, const SafetensorsOptions& options)
    : content_(std::make_unique<const Content>(path, options)) {}
SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::vector<RawTensor>& SafetensorsFile::tensors() const { return content_->header.tensors; }
const SafetensorsMetadata& SafetensorsFile::metadata() const { return content_->header.metadata; }
std::string SafetensorsFile::path() const { return content_->path; }

const RawTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors().begin(), tensors().end(), [&](const RawTensor& tensor) { return tensor.name == name; });
  return found == tensors().end() ? nullptr : &*found;
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  const RawTensor* const raw = find(name);
  require<FormatError>(raw != nullptr, "{}: there is no tensor \"{}\"", path(), name);
  require<FormatError>(std::ssize(raw->shape) <= Shape::max_rank, "{}: \"{}\": {} has more than {} dimensions", path(),
                       name, to_string(std::span(raw->shape)), Shape::max_rank);
  Tensor result{Shape(raw->shape)};
  convert(*raw, result);
  return result;
}

// ---- Writing ----

void write_safetensors(const std::filesystem::path& path, std::span<const RawTensor> tensors,
                       const SafetensorsMetadata& metadata) {
  std::vector<const RawTensor*> order;
  for (const RawTensor& tensor : tensors) {
    require<ValueError>(byte_count(tensor.shape, tensor.dtype) == std::ssize(tensor.bytes),
                        "{}: \"{}\": {} {} takes {} bytes, but {} came", path.string(), tensor.name,
                        to_string(tensor.dtype), to_string(std::span(tensor.shape)),
                        byte_count(tensor.shape, tensor.dtype), tensor.bytes.size());
    order.push_back(&tensor);
  }
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
  std::string text = to_string(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  try {
    // Nothing is written that would not be read: a name twice, one that is not UTF-8, a header that is too long.
    read_safetensors_header(text, offset);
  } catch (Error& error) {
    error.add_context(path.string());
    throw ValueError(error.what());
  }

  AtomicFile file(path);
  const std::uint64_t length = text.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(text)));
  for (const RawTensor* tensor : order) file.write(tensor->bytes);
  file.commit();
}

}  // namespace cornu
