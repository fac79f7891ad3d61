#include <array>
#include <bit>
#include <cstring>

#include "cornu/onnx/wire.h"

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian and copied unchanged");

namespace cornu::onnx::detail {

namespace {

template <class T>
T fixed(pbf_reader& message) {
  if constexpr (sizeof(T) == 4) return message.get_float();
  if constexpr (sizeof(T) == 8) return message.get_double();
}

template <class T, class F>
void each_raw(std::string_view raw, F f) {
  for (std::size_t i = 0; i < raw.size(); i += sizeof(T)) {
    T number;
    std::memcpy(&number, raw.data() + i, sizeof number);
    f(number);
  }
}

template <class T, class F>
void each_fixed(pbf_reader& message, F f) {
  constexpr auto single = sizeof(T) == 4 ? pbf_wire_type::fixed32 : pbf_wire_type::fixed64;
  if (message.wire_type() == single) return f(fixed<T>(message));
  const std::string_view bytes = text(message, "a list of numbers");
  require<FormatError>(bytes.size() % sizeof(T) == 0, "{} bytes of elements, not a multiple of {}", bytes.size(),
                       sizeof(T));
  each_raw<T>(bytes, f);
}

/// How the elements of a type are stored.
struct Encoding {
  Kind kind;
  std::size_t raw_bytes;  // bytes per element in raw_data
  std::uint32_t field;    // where they are stored without raw_data
};

Encoding encoding_of(std::int64_t type) {
  switch (static_cast<ElementType>(type)) {
    case ElementType::float32:
      return {Kind::real, 4, tensor_field::float_data};
    case ElementType::float64:
      return {Kind::real, 8, tensor_field::double_data};
    case ElementType::int32:
      return {Kind::integer, 4, tensor_field::int32_data};
    case ElementType::int64:
      return {Kind::integer, 8, tensor_field::int64_data};
    case ElementType::boolean:
      return {Kind::boolean, 1, tensor_field::int32_data};
    default:
      throw FormatError(
          message("its elements are {}; Cornu reads float, double, int32, int64 and bool", name_of_element_type(type)));
  }
}

}  // namespace

Kind kind_of(std::int64_t element_type) { return encoding_of(element_type).kind; }

TensorMessage tensor_of(pbf_reader message, Budget& budget) {
  TensorMessage result;
  const pbf_reader whole = message;
  std::int64_t type = 0;
  std::array<Index, Shape::max_rank> dimensions{};
  std::size_t rank = 0;
  std::string_view raw;
  bool has_raw = false;
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
        raw = text(message, "raw_data");
        has_raw = true;
        break;
      case tensor_field::segment:
        throw FormatError("it is a segment of a tensor, which Cornu does not read");
      case tensor_field::external_data:
        throw FormatError("its elements are in another file (external data); save the model with all data inside");
      case tensor_field::data_location:
        require<FormatError>(integer(message, "data_location") == 0,
                             "its elements are in another file (external data); save the model with all data inside");
        break;
      default:
        message.skip();
    }
  }

  const Encoding encoding = encoding_of(type);
  result.kind = encoding.kind;
  Index size = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    require<FormatError>(!__builtin_mul_overflow(size, dimensions[i], &size), "its dimensions overflow");
  }
  // Allocate nothing before the elements are known to be in the file.
  std::size_t count = 0;
  const auto numbers = [&](auto take) {
    for (pbf_reader fields = whole; fields.next();) {
      if (fields.tag() != encoding.field) {
        fields.skip();
      } else if (encoding.field == tensor_field::float_data) {
        each_fixed<float>(fields, take);
      } else if (encoding.field == tensor_field::double_data) {
        each_fixed<double>(fields, take);
      } else {
        each_varint(fields, take);
      }
    }
  };
  numbers([&](auto) { ++count; });
  require<FormatError>(!has_raw || count == 0, "it has elements both in raw_data and in a typed field");
  if (has_raw) {
    require<FormatError>(raw.size() % encoding.raw_bytes == 0, "raw_data has {} bytes, not a multiple of {}",
                         raw.size(), encoding.raw_bytes);
    count = raw.size() / encoding.raw_bytes;
  }
  const std::span<const Index> shape(dimensions.data(), rank);
  require<FormatError>(static_cast<std::size_t>(size) == count, "shape {} has {} elements, the file has {}",
                       to_string(shape), size, count);
  budget.charge(count * sizeof(Real));
  const auto elements = [&](auto take) {
    if (!has_raw) return numbers(take);
    switch (static_cast<ElementType>(type)) {
      case ElementType::float32:
        return each_raw<float>(raw, take);
      case ElementType::float64:
        return each_raw<double>(raw, take);
      case ElementType::int32:
        return each_raw<std::int32_t>(raw, take);
      case ElementType::int64:
        return each_raw<std::int64_t>(raw, take);
      default:
        return each_raw<char>(raw, take);
    }
  };
  result.value = Tensor(Shape(shape));
  Real* to = result.value.data();
  bool all_fit = true;
  elements([&](auto number) {
    if (encoding.kind == Kind::boolean) {
      *to++ = number != 0 ? Real{1} : Real{0};
      return;
    }
    if constexpr (std::is_integral_v<decltype(number)>) all_fit = all_fit && fits_real(number);
    *to++ = static_cast<Real>(number);
  });
  if (all_fit) return result;
  budget.charge(count * sizeof(Index));
  result.integers.reserve(count);
  elements([&](auto number) { result.integers.push_back(static_cast<Index>(number)); });
  return result;
}

}  // namespace cornu::onnx::detail
