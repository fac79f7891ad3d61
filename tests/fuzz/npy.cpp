#include <algorithm>
#include <vector>

#include "cornu/formats/npy/npy.h"
#include "cornu/formats/npy/npy_header.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

std::vector<std::byte> written(const RawTensor& array) {
  const std::string header = detail::npy_header(array);
  const auto begin = std::as_bytes(std::span(header));
  std::vector<std::byte> result(begin.begin(), begin.end());
  result.insert(result.end(), array.bytes.begin(), array.bytes.end());
  return result;
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto read = [&] {
    const NpyFile file(bytes, "file");
    if (std::ssize(file.array().shape) <= Shape::max_rank) file.tensor();
  };
  // A column-major or big-endian array is copied, and an array of bytes becomes one Real per byte.
  if (!fuzz::reads(fuzz::most_memory(2 * size), read)) return 0;
  const NpyFile file(bytes, "file");
  const std::vector<std::byte> copy = written(file.array());
  const NpyFile again(copy, "copy");
  const RawTensor &a = file.array(), &b = again.array();
  fuzz::check(a.dtype == b.dtype && a.shape == b.shape, "type and shape are read again");
  fuzz::check(std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end()), "and the numbers");
  return 0;
}
