#include <algorithm>
#include <numeric>

#include "cornu/core/memory_limit.h"
#include "cornu/formats/pytorch/pytorch_file.h"
#include "cornu/formats/safetensors.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

/// The storages "0" to "9" exist, of 8 to 80 bytes.
std::vector<std::byte> storage(std::string_view key) {
  require<FormatError>(key.size() == 1 && key[0] >= '0' && key[0] <= '9', "there is no storage {}", key.size());
  std::vector<std::byte> bytes(8 * static_cast<std::size_t>(key[0] - '0' + 1));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

}  // namespace

/// The input is the pickle in a file of PyTorch.
int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::size_t most = (std::size_t{1} << 18) + 64 * size;
  detail::PickledTensors found;
  const auto read = [&] {
    const detail::MemoryLimit limit(most, most);
    found = detail::pickled_tensors(bytes, storage);
  };
  if (!fuzz::reads((Index{1} << 20) + 2 * static_cast<Index>(most), read)) return 0;
  for (const RawTensor& tensor : found.tensors) {
    fuzz::check(detail::byte_count(tensor.shape, tensor.dtype) == std::ssize(tensor.bytes), "a tensor has its bytes");
    fuzz::check(std::all_of(tensor.bytes.begin(), tensor.bytes.end(), [](std::byte b) { return b < std::byte{80}; }),
                "the bytes are those of a storage");
  }
  std::vector<std::byte> written;
  try {
    written = detail::safetensors_bytes(found.tensors);
  } catch (const ValueError&) {
    return 0;  // the name __metadata__
  }
  const SafetensorsFile again(written, "copy");
  for (const RawTensor& tensor : found.tensors) {
    const RawTensor* const other = again.find(tensor.name);
    fuzz::check(other != nullptr && other->dtype == tensor.dtype && other->shape == tensor.shape &&
                    std::equal(tensor.bytes.begin(), tensor.bytes.end(), other->bytes.begin(), other->bytes.end()),
                "what is written is read again");
  }
  return 0;
}
