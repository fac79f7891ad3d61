#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "cornu/onnx/wire.h"

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian and copied unchanged");

namespace cornu::onnx::detail {

namespace {

/// How the elements of a type are stored.
struct Encoding {
  std::size_t raw_bytes;  // bytes per element in raw_data
  std::uint32_t field;    // where they are stored without raw_data
};

Encoding encoding_of(std::int64_t type) {
  switch (static_cast<ElementType>(type)) {
    case ElementType::float32:
      return {4, tensor_field::float_data};
    case ElementType::float64:
      return {8, tensor_field::double_data};
    case ElementType::float16:
    case ElementType::bfloat16:
    case ElementType::uint16:
    case ElementType::int16:
      return {2, tensor_field::int32_data};
    case ElementType::uint8:
    case ElementType::int8:
    case ElementType::boolean:
      return {1, tensor_field::int32_data};
    case ElementType::int32:
      return {4, tensor_field::int32_data};
    case ElementType::int64:
      return {8, tensor_field::int64_data};
    case ElementType::uint32:
      return {4, tensor_field::uint64_data};
    case ElementType::uint64:
      return {8, tensor_field::uint64_data};
    default:
      throw FormatError(
          message("its elements are {}, which Cornu does not read; it reads float, double, float16, "
                  "bfloat16, bool and integers of 8 to 64 bits",
                  name_of_element_type(type)));
  }
}

/// Calls f with each element of raw bytes, as T.
template <class T, class F>
void each_raw(std::span<const std::byte> raw, F f) {
  for (std::size_t i = 0; i < raw.size(); i += sizeof(T)) {
    T number;
    std::memcpy(&number, raw.data() + i, sizeof number);
    f(number);
  }
}

/// The same with the type of the file.
template <class F>
void each_element(ElementType type, std::span<const std::byte> raw, F f) {
  switch (type) {
    case ElementType::float32:
      return each_raw<float>(raw, f);
    case ElementType::float64:
      return each_raw<double>(raw, f);
    case ElementType::float16:
      return each_raw<std::uint16_t>(raw, [&](std::uint16_t bits) { f(cornu::detail::from_half(bits)); });
    case ElementType::bfloat16:
      return each_raw<std::uint16_t>(raw, [&](std::uint16_t bits) { f(cornu::detail::from_bfloat16(bits)); });
    case ElementType::int8:
      return each_raw<std::int8_t>(raw, f);
    case ElementType::int16:
      return each_raw<std::int16_t>(raw, f);
    case ElementType::uint16:
      return each_raw<std::uint16_t>(raw, f);
    case ElementType::int32:
      return each_raw<std::int32_t>(raw, f);
    case ElementType::uint32:
      return each_raw<std::uint32_t>(raw, f);
    case ElementType::int64:
      return each_raw<std::int64_t>(raw, f);
    case ElementType::uint64:
      return each_raw<std::uint64_t>(raw, f);
    default:
      return each_raw<std::uint8_t>(raw, f);
  }
}

/// Calls f with each element of a typed field.
template <class F>
void each_number(const pbf_reader& tensor, ElementType type, std::uint32_t field, F f) {
  const auto take = [&](std::int64_t number) {
    if (type == ElementType::float16) return f(cornu::detail::from_half(static_cast<std::uint16_t>(number)));
    if (type == ElementType::bfloat16) return f(cornu::detail::from_bfloat16(static_cast<std::uint16_t>(number)));
    if (type == ElementType::uint64) return f(static_cast<std::uint64_t>(number));
    f(number);
  };
  const auto each_fixed = [&]<class T>(pbf_reader& fields, T) {
    constexpr auto single = sizeof(T) == 4 ? pbf_wire_type::fixed32 : pbf_wire_type::fixed64;
    if (fields.wire_type() == single) {
      if constexpr (sizeof(T) == 4) return f(fields.get_float());
      if constexpr (sizeof(T) == 8) return f(fields.get_double());
    }
    const std::string_view bytes = text(fields, "a list of numbers");
    require<FormatError>(bytes.size() % sizeof(T) == 0, "{} bytes of elements, not a multiple of {}", bytes.size(),
                         sizeof(T));
    each_raw<T>(std::as_bytes(std::span(bytes)), f);
  };
  for (pbf_reader fields = tensor; fields.next();) {
    if (fields.tag() != field) {
      fields.skip();
    } else if (field == tensor_field::float_data) {
      each_fixed(fields, float{});
    } else if (field == tensor_field::double_data) {
      each_fixed(fields, double{});
    } else {
      each_varint(fields, take);
    }
  }
}

/// Where the elements of a tensor are outside of the model's file.
ExternalPlace external_place(pbf_reader tensor) {
  ExternalPlace place;
  while (tensor.next()) {
    if (tensor.tag() != tensor_field::external_data) {
      tensor.skip();
      continue;
    }
    const auto [key, value] = read_entry(part(tensor, "external_data"));
    if (key == "location") place.location = value;
    if (key == "offset") place.offset = value;
    if (key == "length") place.length = value;
  }
  return place;
}

/// The number, if an integer of 64 bits with a sign holds it.
template <class T>
Index whole(T number) {
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    require<FormatError>(number <= std::uint64_t{std::numeric_limits<Index>::max()},
                         "it holds the integer {}, which is larger than 2^63 - 1", number);
  }
  return static_cast<Index>(number);
}

}  // namespace

void require_known(std::int64_t element_type) { encoding_of(element_type); }

TensorMessage tensor_of(pbf_reader message, Budget& budget, const External& external) {
  TensorMessage result;
  const pbf_reader whole_message = message;
  std::int64_t type = 0;
  std::array<Index, Shape::max_rank> dimensions{};
  std::size_t rank = 0;
  std::string_view raw_text;
  bool has_raw = false, is_external = false;
  while (message.next()) {
    switch (message.tag()) {
      case tensor_field::dims:
        each_varint(message, [&](std::int64_t dimension) {
          require<FormatError>(rank < dimensions.size(), "it has more than {} dimensions", dimensions.size());
          require<FormatError>(dimension >= 0, "dimension {} is {}", rank, dimension);
          dimensions[rank++] = dimension;
        });
        break;
      case tensor_field::data_type:
        type = integer(message, "data_type");
        break;
      case tensor_field::name:
        result.name = text(message, "name");
        break;
      case tensor_field::raw_data:
        raw_text = text(message, "raw_data");
        has_raw = true;
        break;
      case tensor_field::segment:
        throw FormatError("it is a segment of a tensor, which Cornu does not read");
      case tensor_field::data_location:
        is_external = integer(message, "data_location") != 0;
        break;
      default:
        message.skip();
    }
  }

  const Encoding encoding = encoding_of(type);
  Elements& elements = result.elements;
  elements.type = static_cast<ElementType>(type);
  Index size = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    require<FormatError>(!__builtin_mul_overflow(size, dimensions[i], &size), "its dimensions overflow");
  }
  const std::span<const Index> shape(dimensions.data(), rank);
  // Allocate nothing before the elements are known to be in the file.
  std::size_t count = 0;
  each_number(whole_message, elements.type, encoding.field, [&](auto) { ++count; });
  require<FormatError>(!has_raw || count == 0, "it has elements both in raw_data and in a typed field");
  std::span<const std::byte> raw = std::as_bytes(std::span(raw_text));
  if (is_external) {
    require<FormatError>(!has_raw && count == 0, "it has elements both here and in another file");
    raw = external(external_place(whole_message));
    has_raw = true;
  }
  if (has_raw) {
    require<FormatError>(raw.size() % encoding.raw_bytes == 0, "{} has {} bytes, not a multiple of {}",
                         is_external ? "its external data" : "raw_data", raw.size(), encoding.raw_bytes);
    count = raw.size() / encoding.raw_bytes;
  }
  require<FormatError>(static_cast<std::size_t>(size) == count, "shape {} has {} elements, the file has {}",
                       to_string(shape), size, count);
  budget.charge(count * (elements.kind() == Kind::real ? sizeof(Real) : sizeof(Index)));
  const auto each = [&](auto take) {
    if (has_raw) return each_element(elements.type, raw, take);
    each_number(whole_message, elements.type, encoding.field, take);
  };
  if (elements.kind() == Kind::real) {
    elements.real = Tensor(Shape(shape));
    Real* to = elements.real.data();
    each([&](auto number) { *to++ = static_cast<Real>(number); });
    return result;
  }
  elements.shape = Shape(shape);
  elements.integers.reserve(count);
  each([&](auto number) {
    if constexpr (std::is_integral_v<decltype(number)>) {
      elements.integers.push_back(wrapped(elements.type, whole(number)));
    }
  });
  return result;
}

}  // namespace cornu::onnx::detail
