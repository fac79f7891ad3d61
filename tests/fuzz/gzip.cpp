#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "cornu/formats/gzip.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

using Bytes = std::vector<std::byte>;

/// The whole content, read in pieces of `piece` bytes, but at most a megabyte.
Bytes content_of(std::span<const std::byte> bytes, std::size_t piece) {
  detail::ByteReader reader(bytes, "file");
  Bytes result;
  std::size_t came = piece;
  while (came == piece && result.size() < 1 << 20) {
    const std::size_t before = result.size();
    result.resize(before + piece);
    came = reader.read(std::span(result).subspan(before));
    result.resize(before + came);
  }
  return result;
}

/// Damages a file of two members: `content`, cut in two at `cut`, each half compressed, with at most one byte changed.
/// The file must be refused or read as `content`: the checksum detects changes, except in a member's first ten bytes.
void damage(std::span<const std::byte> content, std::size_t cut, std::size_t place, std::byte change) {
  constexpr std::size_t header = 10;
  Bytes file = detail::gzip_compressed(content.first(cut));
  const std::size_t middle = file.size();
  const Bytes second = detail::gzip_compressed(content.subspan(cut));
  file.insert(file.end(), second.begin(), second.end());
  place %= file.size();
  file[place] ^= change;
  Bytes read;
  const bool well = fuzz::reads(fuzz::most_memory(content.size()), [&] { read = content_of(file, 512); });
  fuzz::check(well || change != std::byte{}, "what was not damaged is read");
  const bool in_header = place < header || (middle <= place && place < middle + header);
  if (well && (!in_header || change == std::byte{})) {
    fuzz::check(std::equal(read.begin(), read.end(), content.begin(), content.end()), "what is read is what was there");
  }
}

}  // namespace

/// The first byte decides whether the rest is a gzip file or the content of one.
int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  if (size < 5) return 0;
  const auto number = [&](std::size_t i) { return static_cast<std::size_t>(data[i]) << 8 | data[i + 1]; };
  if ((data[0] & 1) != 0) {
    const auto content = bytes.subspan(5);
    damage(content, std::min(content.size(), static_cast<std::size_t>(data[1])), number(2), bytes[4]);
    return 0;
  }
  const auto file = bytes.subspan(1);
  Bytes read;
  const bool well = fuzz::reads(5 << 20, [&] { read = content_of(file, std::size_t{1} << 16); });
  // Reading in pieces of another size must give the same.
  Bytes again;
  const bool again_well = fuzz::reads(5 << 20, [&] { again = content_of(file, 61); });
  if (read.size() < 1 << 20) fuzz::check(well == again_well && read == again, "the size of the pieces does not matter");
  return 0;
}
