#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Reads event files according to the published format. Shares no code with the writer: it has a separate bitwise CRC
/// and a separate protocol buffer parser.
namespace cornu::testing {

struct Event {
  double wall_time = 0;
  std::int64_t step = 0;
  std::string file_version, tag;
  float value = 0;
  double min = 0, max = 0, num = 0, sum = 0, sum_squares = 0;
  std::vector<double> bucket_limit, bucket;
};

namespace event_format {

inline void require_format(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

template <class Number>
Number number_of(std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little);
  require_format(bytes.size() >= sizeof(Number), "the bytes end within a number");
  Number result;
  std::memcpy(&result, bytes.data(), sizeof result);
  return result;
}

inline std::uint32_t slow_crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int i = 0; i < 8; ++i) crc = crc & 1 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
  }
  return ~crc;
}

inline std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8; }

/// One field of a message: its number, and its bytes or integer value.
struct Field {
  std::uint64_t number = 0, whole = 0;
  std::string_view bytes{};
};

inline std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t result = 0;
  for (int shift = 0;; shift += 7) {
    require_format(!bytes.empty() && shift < 64, "a varint without an end");
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    result |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return result;
  }
}

inline std::vector<Field> fields_of(std::string_view bytes) {
  std::vector<Field> result;
  while (!bytes.empty()) {
    const std::uint64_t key = take_varint(bytes);
    Field field{.number = key >> 3};
    std::size_t length = 0;
    switch (key & 7) {
      case 0:
        field.whole = take_varint(bytes);
        break;
      case 1:
        length = 8;
        break;
      case 2:
        length = take_varint(bytes);
        break;
      case 5:
        length = 4;
        break;
      default:
        require_format(false, "a field of no known type");
    }
    require_format(length <= bytes.size(), "a field that is longer than its message");
    field.bytes = bytes.substr(0, length);
    bytes.remove_prefix(length);
    result.push_back(field);
  }
  return result;
}

inline std::vector<double> doubles_of(std::string_view bytes) {
  std::vector<double> result;
  for (; !bytes.empty(); bytes.remove_prefix(8)) result.push_back(number_of<double>(bytes));
  return result;
}

inline void read_histogram(std::string_view bytes, Event& event) {
  for (const Field& field : fields_of(bytes)) {
    if (field.number == 6) event.bucket_limit = doubles_of(field.bytes);
    if (field.number == 7) event.bucket = doubles_of(field.bytes);
    double* const single[] = {nullptr, &event.min, &event.max, &event.num, &event.sum, &event.sum_squares};
    if (field.number >= 1 && field.number <= 5) *single[field.number] = number_of<double>(field.bytes);
  }
}

inline Event read_event(std::string_view bytes) {
  Event event;
  for (const Field& field : fields_of(bytes)) {
    if (field.number == 1) event.wall_time = number_of<double>(field.bytes);
    if (field.number == 2) event.step = static_cast<std::int64_t>(field.whole);
    if (field.number == 3) event.file_version = field.bytes;
    if (field.number != 5) continue;
    for (const Field& value : fields_of(field.bytes)) {
      require_format(value.number == 1, "a summary has values alone");
      for (const Field& part : fields_of(value.bytes)) {
        if (part.number == 1) event.tag = part.bytes;
        if (part.number == 2) event.value = number_of<float>(part.bytes);
        if (part.number == 5) read_histogram(part.bytes, event);
      }
    }
  }
  return event;
}

}  // namespace event_format

inline std::vector<Event> read_events(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  std::string_view rest = content;
  std::vector<Event> result;
  while (!rest.empty()) {
    const auto length = static_cast<std::size_t>(event_format::number_of<std::uint64_t>(rest));
    event_format::require_format(length + 16 <= rest.size(), "the file ends within a record");
    event_format::require_format(event_format::number_of<std::uint32_t>(rest.substr(8)) ==
                                     event_format::masked(event_format::slow_crc32c(rest.substr(0, 8))),
                                 "the checksum of a length is wrong");
    const std::string_view event = rest.substr(12, length);
    event_format::require_format(event_format::number_of<std::uint32_t>(rest.substr(12 + length)) ==
                                     event_format::masked(event_format::slow_crc32c(event)),
                                 "the checksum of an event is wrong");
    result.push_back(event_format::read_event(event));
    rest.remove_prefix(length + 16);
  }
  return result;
}

}  // namespace cornu::testing
