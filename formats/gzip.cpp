#include "cornu/formats/gzip.h"

#define ZLIB_CONST  // makes zlib take const input
#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "cornu/core/error.h"

namespace cornu::detail {

namespace {

constexpr int gzip_window = 15 + 16;                         // the largest window, with gzip's header and trailer
constexpr std::size_t largest_piece = std::size_t{1} << 30;  // zlib counts in 32 bits
constexpr std::size_t largest_expansion = 1032;              // two bits of deflate expand to at most 258 bytes

uInt piece(std::size_t size) { return static_cast<uInt>(std::min(size, largest_piece)); }

}  // namespace

struct ByteReader::Inflater {
  z_stream stream{};
  bool finished = false;

  Inflater() {
    if (inflateInit2(&stream, gzip_window) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Calls zlib once and removes the consumed and the filled part from the spans.
  int advance(std::span<const std::byte>& in, std::span<std::byte>& out) {
    stream.next_in = reinterpret_cast<const Bytef*>(in.data());
    stream.avail_in = piece(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = piece(out.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    in = in.subspan(piece(in.size()) - stream.avail_in);
    out = out.subspan(piece(out.size()) - stream.avail_out);
    return status;
  }
};

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1F} && bytes[1] == std::byte{0x8B};
}

ByteReader::ByteReader(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {
  if (is_gzip(bytes)) inflater_ = std::make_unique<Inflater>();
}

ByteReader::~ByteReader() = default;

std::size_t ByteReader::most_left() const { return compressed() ? bytes_.size() * largest_expansion : bytes_.size(); }

std::size_t ByteReader::read(std::span<std::byte> out) {
  const std::size_t wanted = out.size();
  if (!compressed()) {
    const auto taken = bytes_.first(std::min(wanted, bytes_.size()));
    std::copy(taken.begin(), taken.end(), out.begin());
    bytes_ = bytes_.subspan(taken.size());
    return taken.size();
  }
  while (!out.empty() && !inflater_->finished) {
    const int status = inflater_->advance(bytes_, out);
    if (status == Z_STREAM_END) {
      inflater_->finished = bytes_.empty();
      require<FormatError>(bytes_.empty() || is_gzip(bytes_), "{}: {} bytes follow the end of the gzip data", name_,
                           bytes_.size());
      inflateReset(&inflater_->stream);  // for the next member
    } else if (status == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else {
      require<FormatError>(status != Z_BUF_ERROR, "{}: the gzip data are cut off (an interrupted download?)", name_);
      require<FormatError>(status == Z_OK, "{}: the gzip data are damaged ({})", name_,
                           inflater_->stream.msg ? inflater_->stream.msg : "unknown cause");
    }
  }
  return wanted - out.size();
}

std::vector<std::byte> gzip_compressed(std::span<const std::byte> bytes) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, [](z_stream* s) { return deflateEnd(s); });
  std::vector<std::byte> result;
  std::array<std::byte, 1 << 16> buffer;
  int status = Z_OK;
  do {
    const uInt given = piece(bytes.size());
    stream.next_in = reinterpret_cast<const Bytef*>(bytes.data());
    stream.avail_in = given;
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    status = deflate(&stream, given == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    bytes = bytes.subspan(given - stream.avail_in);
    result.insert(result.end(), buffer.begin(), buffer.end() - stream.avail_out);
  } while (status != Z_STREAM_END);
  return result;
}

}  // namespace cornu::detail
