#include "cornu/formats/raw_tensor.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/formats/dtypes.h"

namespace cornu {

float detail::from_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

float detail::from_half(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16, exponent = bits >> 10 & 31u, fraction = bits & 1023u;
  if (exponent == 0) {  // zero, or less than 2^-14: fraction x 2^-24
    const float small = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -small : small;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

namespace {

static_assert(std::endian::native == std::endian::little, "elements are read and written without swapping bytes");

/// Sign, 4 exponent bits with bias 7, 3 fraction bits. No infinity; one NaN of each sign.
/// Source: Open Compute Project, "OCP 8-bit Floating Point Specification", 2023.
float from_e4m3(std::uint8_t bits) {
  const int exponent = bits >> 3 & 15, fraction = bits & 7;
  const float size = exponent == 15 && fraction == 7 ? std::numeric_limits<float>::quiet_NaN()
                     : exponent == 0                 ? std::ldexp(static_cast<float>(fraction), -9)
                                                     : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  return (bits & 128) != 0 ? -size : size;
}

/// 2^(bits - 127); 255 is NaN. Source: Open Compute Project, "OCP Microscaling Formats (MX) Specification", 2023.
float from_e8m0(std::uint8_t bits) {
  return bits == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0F, bits - 127);
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

/// The index of the i-th element in memory, such as "(3, 2)".
std::string position_of(Index i, std::vector<Index> shape) {
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    const Index length = shape[axis];
    shape[axis] = i % length;
    i /= length;
  }
  return to_string(std::span(std::as_const(shape)));
}

/// Calls put(i, value) for each element. Throws FormatError for an integer that Real cannot represent exactly.
template <class Stored, class Put>
void each_integer(const RawTensor& from, Put put) {
  const Index count = std::ssize(from.bytes) / static_cast<Index>(sizeof(Stored));
  for (Index i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, from.bytes.data() + static_cast<std::size_t>(i) * sizeof(Stored), sizeof(Stored));
    if (!detail::fits_real(stored)) [[unlikely]] {
      throw FormatError(
          message("\"{}\": the integer {} at {} cannot be represented exactly in a {}, which is exact up to 2^{}; "
                  "store the array as floats if rounding is acceptable",
                  from.name, stored, position_of(i, from.shape), sizeof(Real) == 8 ? "double" : "float",
                  std::numeric_limits<Real>::digits));
    }
    put(i, static_cast<Real>(stored));
  }
}

/// Calls f(T{}) if the elements are integers, stored as T. Returns whether they are.
template <class F>
bool with_integer_type(Dtype dtype, F f) {
  switch (dtype) {
    case Dtype::i64:
      return f(std::int64_t{}), true;
    case Dtype::i32:
      return f(std::int32_t{}), true;
    case Dtype::i16:
      return f(std::int16_t{}), true;
    case Dtype::i8:
      return f(std::int8_t{}), true;
    case Dtype::u64:
      return f(std::uint64_t{}), true;
    case Dtype::u32:
      return f(std::uint32_t{}), true;
    case Dtype::u16:
      return f(std::uint16_t{}), true;
    case Dtype::u8:
      return f(std::uint8_t{}), true;
    default:
      return false;
  }
}

/// True if Real represents every T exactly.
template <class T>
constexpr bool always_fits = std::numeric_limits<T>::digits <= std::numeric_limits<Real>::digits;

}  // namespace

Index size_of(Dtype dtype) { return detail::dtype_row(dtype).size; }
std::string to_string(Dtype dtype) { return detail::dtype_row(dtype).name; }

std::optional<Dtype> detail::dtype_called(std::string_view name) {
  for (const detail::DtypeRow& row : detail::dtypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

void detail::require_read(const std::string& file, const std::vector<UnreadArray>& unread, std::string_view name) {
  for (const UnreadArray& array : unread) {
    if (array.name == name) throw FormatError(message("{}: \"{}\": {}", file, name, array.reason));
  }
}

RawTensor raw_tensor(std::string name, ConstView view) {
  const auto dimensions = view.shape().dimensions();
  return {.name = std::move(name),
          .dtype = sizeof(Real) == 8 ? Dtype::f64 : Dtype::f32,
          .shape = {dimensions.begin(), dimensions.end()},
          .bytes = std::as_bytes(std::span(view.data(), static_cast<std::size_t>(view.size())))};
}

Index detail::byte_count(const std::vector<Index>& shape, Dtype dtype) {
  Index bytes = size_of(dtype);
  // In order, as in the reference implementation of safetensors: after a 0, any size is accepted.
  for (const Index dimension : shape) {
    require<FormatError>(dimension >= 0 && (bytes == 0 || dimension <= std::numeric_limits<Index>::max() / bytes),
                         "invalid shape {}: negative or too large", to_string(std::span(shape)));
    bytes *= dimension;
  }
  return bytes;
}

void detail::require_exact(const RawTensor& tensor) {
  with_integer_type(tensor.dtype, [&]<class T>(T) {
    if constexpr (!always_fits<T>) each_integer<T>(tensor, [](Index, Real) {});
  });
}

void detail::check_size(const RawTensor& tensor) {
  Index bytes = 0;
  try {
    bytes = byte_count(tensor.shape, tensor.dtype);
  } catch (const FormatError& error) {
    throw ValueError(message("\"{}\": {}", tensor.name, error.what()));
  }
  require<ValueError>(bytes == std::ssize(tensor.bytes), "\"{}\": {} {} takes {} bytes, but has {}", tensor.name,
                      to_string(tensor.dtype), to_string(std::span(tensor.shape)), bytes, tensor.bytes.size());
}

void convert(const RawTensor& from, View to) {
  require<FormatError>(std::ssize(from.bytes) == to.size() * size_of(from.dtype),
                       "\"{}\": {} bytes of {} do not match {} elements", from.name, from.bytes.size(),
                       to_string(from.dtype), to.size());
  const auto bytes = from.bytes;
  const bool are_integers = with_integer_type(from.dtype, [&]<class T>(T) {
    if constexpr (always_fits<T>) {
      convert_each<T>(bytes, to);
    } else {
      each_integer<T>(from, [&](Index i, Real number) { to[i] = number; });
    }
  });
  if (are_integers) return;
  switch (from.dtype) {
    case Dtype::f64:
      return convert_each<double>(bytes, to);
    case Dtype::f32:
      return convert_each<float>(bytes, to);
    case Dtype::f16:
      return convert_each<std::uint16_t>(bytes, to, detail::from_half);
    case Dtype::bf16:
      return convert_each<std::uint16_t>(bytes, to, detail::from_bfloat16);
    case Dtype::boolean:
      return convert_each<std::uint8_t>(bytes, to, [](std::uint8_t truth) { return truth != 0; });
    case Dtype::f8_e4m3:
      return convert_each<std::uint8_t>(bytes, to, from_e4m3);
    case Dtype::f8_e5m2:  // half precision without its low byte
      return convert_each<std::uint8_t>(
          bytes, to, [](std::uint8_t half) { return detail::from_half(static_cast<std::uint16_t>(half << 8)); });
    case Dtype::f8_e8m0:
      return convert_each<std::uint8_t>(bytes, to, from_e8m0);
    default:
      break;
  }
}

Tensor to_tensor(const RawTensor& from) {
  require<FormatError>(std::ssize(from.shape) <= Shape::max_rank, "\"{}\": {} has more than {} dimensions", from.name,
                       to_string(std::span(from.shape)), Shape::max_rank);
  Tensor result{Shape(from.shape)};
  convert(from, result);
  return result;
}

}  // namespace cornu
