#include "cornu/formats/idx.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <limits>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/gzip.h"

namespace cornu {

namespace {

struct Type {
  std::uint8_t code;
  const char* name;
  Dtype dtype;
};

/// In the order of IdxData's alternatives.
constexpr std::array<Type, std::variant_size_v<IdxData>> types{{{0x08, "u8", Dtype::u8},
                                                                {0x09, "i8", Dtype::i8},
                                                                {0x0B, "i16", Dtype::i16},
                                                                {0x0C, "i32", Dtype::i32},
                                                                {0x0D, "f32", Dtype::f32},
                                                                {0x0E, "f64", Dtype::f64}}};

constexpr std::size_t most_idx_dimensions = 255;
constexpr Index largest_dimension = std::numeric_limits<std::uint32_t>::max();

/// The product of the dimensions, or nothing if it overflows. Zeros are applied last, so that (0, huge, huge) overflows
/// like (1, huge, huge).
std::optional<Index> product(const std::vector<Index>& dimensions) {
  Index result = 1;
  bool empty = false;
  for (const Index dimension : dimensions) {
    empty = empty || dimension == 0;
    if (dimension != 0 && __builtin_mul_overflow(result, dimension, &result)) return std::nullopt;
  }
  return empty ? 0 : result;
}

template <std::size_t size>
using Unsigned = std::conditional_t<
    size == 1, std::uint8_t,
    std::conditional_t<size == 2, std::uint16_t, std::conditional_t<size == 4, std::uint32_t, std::uint64_t>>>;

/// Converts between the byte order of the file and of the machine.
template <class T>
T big_endian(T value) {
  using Bits = Unsigned<sizeof(T)>;
  auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(value);
  Bits result = 0;
  for (const std::uint8_t byte : bytes) result = static_cast<Bits>(std::uint64_t{result} << 8 | byte);
  return std::bit_cast<T>(result);
}

/// Parses an IDX file sequentially. Every error names the file.
class Parser {
 public:
  Parser(std::span<const std::byte> bytes, const std::string& name, const IdxReadOptions& options)
      : reader_(bytes, name), name_(name), options_(options) {}

  IdxArray parse() {
    IdxArray result{.data = empty_array(read_type())};
    result.dimensions = read_dimensions();
    const auto count = product(result.dimensions);
    check(count.has_value(), "dimensions {}: the number of elements overflows", to_string(result.dimensions));
    std::visit([&](auto& numbers) { read_numbers(*count, result, numbers); }, result.data);
    return result;
  }

 private:
  template <class... Args>
  void check(bool condition, const char* format, const Args&... arguments) const {
    if (!condition) [[unlikely]]
      throw FormatError(name_ + ": " + message(format, arguments...));
  }

  template <std::size_t n>
  std::array<std::uint8_t, n> read_header(const char* what) {
    std::array<std::uint8_t, n> bytes{};
    const std::size_t came = reader_.read(std::as_writable_bytes(std::span(bytes)));
    check(came == n, "the file ends inside its {} (truncated, or not an IDX file?)", what);
    return bytes;
  }

  std::uint8_t read_type() {
    const auto magic = read_header<4>("magic number");
    dimension_count_ = magic[3];
    check(magic[0] == 0 && magic[1] == 0, "the first bytes are {}, an IDX file begins with 00 00",
          fmt::format("{:02X} {:02X}", magic[0], magic[1]));
    return magic[2];
  }

  template <std::size_t i = 0>
  IdxData empty_array(std::uint8_t code) const {
    if constexpr (i == types.size()) {
      throw FormatError(name_ + fmt::format(": element type {:02X}; IDX has 08 (u8), 09 (i8), 0B (i16), 0C (i32), "
                                            "0D (f32) and 0E (f64)",
                                            code));
    } else {
      return code == types[i].code ? IdxData(std::in_place_index<i>) : empty_array<i + 1>(code);
    }
  }

  std::vector<Index> read_dimensions() {
    std::vector<Index> result;
    for (int i = 0; i < dimension_count_; ++i) {
      const auto bytes = read_header<4>("dimensions");
      result.push_back(static_cast<Index>(big_endian(std::bit_cast<std::uint32_t>(bytes))));
    }
    return result;
  }

  template <class T>
  void read_numbers(Index count, const IdxArray& array, std::vector<T>& numbers) {
    Index bytes = 0;
    const bool counted = !__builtin_mul_overflow(count, static_cast<Index>(sizeof(T)), &bytes);
    const std::string wanted = fmt::format("dimensions {} of {} need {} bytes", to_string(array.dimensions),
                                           type_name(array.data), counted ? std::to_string(bytes) : "too many");
    check(counted && static_cast<std::uint64_t>(bytes) <= options_.size_limit, "{}, more than the limit of {}", wanted,
          options_.size_limit);
    const auto size = static_cast<std::size_t>(bytes);
    const std::size_t left = reader_.most_left();
    check(reader_.compressed() ? size <= left : size == left, "{}, the file has {} {}", wanted,
          reader_.compressed() ? "at most" : "exactly", left);

    const auto total = static_cast<std::size_t>(count);
    while (numbers.size() < total) {
      // The size in a compressed file may lie: grow only as data arrive.
      const std::size_t first = numbers.size();
      const std::size_t next = reader_.compressed() ? std::min(total, std::max(2 * first, believed)) : total;
      numbers.reserve(next);
      numbers.resize(next);
      const auto piece = std::as_writable_bytes(std::span(numbers).subspan(first));
      const std::size_t came = reader_.read(piece);
      check(came == piece.size(), "{}, the file has {}", wanted, first * sizeof(T) + came);
    }
    std::byte excess{};
    check(reader_.read({&excess, 1}) == 0, "{}, the file has more", wanted);
    for (T& number : numbers) number = big_endian(number);
  }

  static constexpr std::size_t believed = 1 << 16;

  detail::ByteReader reader_;
  const std::string& name_;
  const IdxReadOptions& options_;
  int dimension_count_ = 0;
};

/// The bytes of a file that has at most `limit`.
FileBytes read_file(const std::string& name, std::uint64_t limit) {
  std::error_code error;
  const auto status = std::filesystem::status(name, error);
  require<FileError>(std::filesystem::exists(status), "{}: cannot be found ({})", name, error.message());
  require<FileError>(std::filesystem::is_regular_file(status), "{}: this is a folder, a device or a pipe, not a file",
                     name);
  const auto size = std::filesystem::file_size(name, error);
  require<FileError>(!error, "{}: cannot be read ({})", name, error.message());
  require<FileError>(size <= limit, "{}: the file has {} bytes, more than the limit of {}", name, size, limit);
  require<FileError>(::access(name.c_str(), R_OK) == 0, "{}: cannot be opened (no read permission?)", name);
  return FileBytes(name, false);
}

/// The first decompressed bytes of a gzip file; empty if it is damaged.
std::vector<std::byte> unpacked_head(std::span<const std::byte> bytes, const std::string& name) {
  std::vector<std::byte> head(512);
  try {
    head.resize(detail::ByteReader(bytes, name).read(head));
  } catch (const FormatError&) {
    head.clear();
  }
  return head;
}

/// Describes a file that is not IDX, compressed or not; "" if its kind is unknown.
std::string foreign_kind(std::span<const std::byte> bytes, const std::string& name) {
  using detail::FileKind;
  if (!detail::is_gzip(bytes)) return detail::described_if_foreign(bytes, {FileKind::idx});
  const FileKind inside = detail::file_kind(unpacked_head(bytes, name));
  if (inside == FileKind::idx || inside == FileKind::empty || inside == FileKind::unknown) return "";
  return message("this is {}, compressed by gzip; {}", detail::name_of(inside),
                 detail::is_read(inside) ? "gunzip it first" : detail::remedy_for(inside));
}

template <class Numbers>
void append_big_endian(std::vector<std::byte>& to, Numbers stored) {
  for (auto& number : stored) number = big_endian(number);
  const auto bytes = std::as_bytes(std::span(stored));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace

Index IdxArray::size() const {
  return std::visit([](const auto& numbers) { return std::ssize(numbers); }, data);
}

std::uint32_t IdxArray::magic() const {
  return std::uint32_t{types[data.index()].code} << 8 | static_cast<std::uint32_t>(dimensions.size());
}

const char* type_name(const IdxData& data) { return types[data.index()].name; }

Tensor to_tensor(const IdxArray& array) {
  Tensor result{Shape(std::span(array.dimensions))};
  require(result.size() == array.size(), "to_tensor: dimensions {} need {} elements, the array has {}",
          to_string(array.dimensions), result.size(), array.size());
  convert(raw_tensor("to_tensor", array), result);
  return result;
}

RawTensor raw_tensor(std::string name, const IdxArray& array) {
  const auto bytes = std::visit([](const auto& numbers) { return std::as_bytes(std::span(numbers)); }, array.data);
  return {.name = std::move(name), .dtype = types[array.data.index()].dtype, .shape = array.dimensions, .bytes = bytes};
}

IdxArray to_idx(ConstView tensor) {
  const auto dimensions = tensor.shape().dimensions();
  return {.dimensions{dimensions.begin(), dimensions.end()}, .data = std::vector<Real>(tensor.begin(), tensor.end())};
}

IdxArray read_idx(const std::string& path, const IdxReadOptions& options) {
  return read_idx_bytes(read_file(path, options.size_limit).bytes(), path, options);
}

IdxArray read_idx_bytes(std::span<const std::byte> bytes, const std::string& name, const IdxReadOptions& options) {
  try {
    return Parser(bytes, name, options).parse();
  } catch (const FormatError&) {
    if (const std::string foreign = foreign_kind(bytes, name); !foreign.empty()) {
      throw FormatError(name + ": " + foreign);
    }
    throw;
  }
}

std::vector<std::byte> detail::idx_bytes(const IdxArray& array, bool gzip) {
  require<ValueError>(array.dimensions.size() <= most_idx_dimensions, "write_idx: {} dimensions; IDX has at most {}",
                      array.dimensions.size(), most_idx_dimensions);
  for (const Index dimension : array.dimensions) {
    require<ValueError>(dimension >= 0 && dimension <= largest_dimension,
                        "write_idx: dimensions {}; each must be from 0 to {}", to_string(array.dimensions),
                        largest_dimension);
  }
  require(product(array.dimensions) == array.size(),
          "write_idx: the product of the dimensions {} is not the number of elements, {}", to_string(array.dimensions),
          array.size());
  std::vector<std::byte> result;
  append_big_endian(result, std::array{array.magic()});
  for (const Index dimension : array.dimensions) {
    append_big_endian(result, std::array{static_cast<std::uint32_t>(dimension)});
  }
  std::visit([&](const auto& numbers) { append_big_endian(result, numbers); }, array.data);
  return gzip ? detail::gzip_compressed(result) : result;
}

void write_idx(const std::string& path, const IdxArray& array, const IdxWriteOptions& options) {
  const std::vector<std::byte> bytes = detail::idx_bytes(array, options.gzip.value_or(path.ends_with(".gz")));
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace cornu
