#include "cornu/formats/event_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <protozero/pbf_writer.hpp>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/core/text/utf8.h"
#include "cornu/formats/crc32c.h"
#include "cornu/formats/file_owner.h"

namespace cornu {

namespace {

constexpr std::size_t buckets = 30;

// Field numbers; the names are those in TensorFlow's .proto files.
namespace event {
constexpr protozero::pbf_tag_type wall_time = 1, step = 2, file_version = 3, summary = 5;
}
namespace summary {
constexpr protozero::pbf_tag_type value = 1;
}
namespace value {
constexpr protozero::pbf_tag_type tag = 1, simple_value = 2, histo = 5;
}
namespace histo {
constexpr protozero::pbf_tag_type min = 1, max = 2, num = 3, sum = 4, sum_squares = 5, bucket_limit = 6, bucket = 7;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

template <class Number>
std::string little_endian(Number number) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof number; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xFF);
  return bytes;
}

/// TFRecord's masked checksum, safe for bytes that contain checksums themselves.
std::string masked_crc(std::string_view bytes) { return little_endian(std::rotr(crc32c(bytes), 15) + 0xA282EAD8U); }

template <class WriteValue>
std::string event_of(std::string_view tag, std::int64_t step, WriteValue write_value) {
  detail::require_utf8("tag", tag);
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  writer.add_double(event::wall_time, now());
  writer.add_int64(event::step, step);
  protozero::pbf_writer values(writer, event::summary);
  protozero::pbf_writer one(values, summary::value);
  one.add_string(value::tag, tag.data(), tag.size());
  write_value(one);
  return bytes;
}

/// A record: length and bytes, each followed by its checksum.
std::string record_of(std::string_view event) {
  const std::string length = little_endian(static_cast<std::uint64_t>(event.size()));
  return length + masked_crc(length) + std::string(event) + masked_crc(event);
}

std::string new_path(const std::filesystem::path& folder) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"localhost"};
  const auto seconds = static_cast<std::int64_t>(now());
  for (int number = 0;; ++number) {
    auto path = folder / message("events.out.tfevents.{:010d}.{}.{}.{}.v2", seconds, host.data(), ::getpid(), number);
    std::error_code error;  // a link counts as existing, whatever its target
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) return path;
  }
}

}  // namespace

EventFile::EventFile(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require<FileError>(!error, "{}: this folder cannot be created ({})", folder, error.message());
  path_ = new_path(folder);
  std::string first;
  protozero::pbf_writer writer(first);
  writer.add_double(event::wall_time, now());
  writer.add_string(event::file_version, "brain.Event:2");
  detail::write_to_file(path_, record_of(first), detail::Existing::refuse);
}

void EventFile::write_scalar(std::string_view tag, double number, std::int64_t step) const {
  append(event_of(tag, step, [&](auto& writer) { writer.add_float(value::simple_value, static_cast<float>(number)); }));
}

void EventFile::write_histogram(std::string_view tag, ConstView values, std::int64_t step) const {
  double least = std::numeric_limits<double>::infinity(), greatest = -least, sum = 0, squares = 0;
  for (const Real number : values) {
    if (!std::isfinite(number)) continue;
    const auto x = static_cast<double>(number);
    least = std::min(least, x);
    greatest = std::max(greatest, x);
    sum += x;
    squares += x * x;
  }
  if (least > greatest) return;
  const double width = (greatest - least) / static_cast<double>(buckets);
  std::array<double, buckets> limits{}, counts{};
  for (std::size_t i = 0; i < buckets; ++i) limits[i] = least + width * static_cast<double>(i + 1);
  limits.back() = greatest;
  double count = 0;
  for (const Real number : values) {
    if (!std::isfinite(number)) continue;
    const double place = width > 0 ? (static_cast<double>(number) - least) / width : 0;
    ++counts[std::min(static_cast<std::size_t>(place), buckets - 1)];
    ++count;
  }
  append(event_of(tag, step, [&](auto& writer) {
    protozero::pbf_writer histogram(writer, value::histo);
    histogram.add_double(histo::min, least);
    histogram.add_double(histo::max, greatest);
    histogram.add_double(histo::num, count);
    histogram.add_double(histo::sum, sum);
    histogram.add_double(histo::sum_squares, squares);
    histogram.add_packed_double(histo::bucket_limit, limits.begin(), limits.end());
    histogram.add_packed_double(histo::bucket, counts.begin(), counts.end());
  }));
}

void EventFile::append(std::string_view event) const {
  detail::write_to_file(path_, record_of(event), detail::Existing::append);
}

}  // namespace cornu
