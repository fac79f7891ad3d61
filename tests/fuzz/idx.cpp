#include <array>
#include <cstring>

#include "cornu/formats/gzip.h"
#include "cornu/formats/idx.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

/// The number of bytes that can be decompressed, which bounds the reader's memory.
std::size_t content_of(std::span<const std::byte> bytes) {
  std::size_t size = 0;
  try {
    detail::ByteReader reader(bytes, "file");
    std::array<std::byte, 4096> piece;
    while (const std::size_t came = reader.read(piece)) size += came;
  } catch (const Error&) {
    size += 4096;  // of the piece that failed
  }
  return size;
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const bool compressed = detail::is_gzip(bytes);
  IdxArray array;
  const Index limit = fuzz::most_memory(compressed ? content_of(bytes) : size);
  if (!fuzz::reads(limit, [&] { array = read_idx_bytes(bytes, "file"); })) return 0;
  const std::vector<std::byte> written = detail::idx_bytes(array, compressed);
  if (compressed) {
    fuzz::check(detail::idx_bytes(read_idx_bytes(written, "copy"), true) == written,
                "what is written again is the same");
  } else {
    fuzz::check(written.size() == size && std::memcmp(written.data(), data, size) == 0, "what is read is written");
  }
  return 0;
}
