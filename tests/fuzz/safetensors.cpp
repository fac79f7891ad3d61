#include <algorithm>

#include "cornu/formats/safetensors.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

bool same(const SafetensorsFile& a, const SafetensorsFile& b) {
  if (a.metadata() != b.metadata() || a.tensors().size() != b.tensors().size()) return false;
  return std::all_of(a.tensors().begin(), a.tensors().end(), [&](const RawTensor& tensor) {
    const RawTensor* const other = b.find(tensor.name);
    return other != nullptr && other->dtype == tensor.dtype && other->shape == tensor.shape &&
           std::equal(tensor.bytes.begin(), tensor.bytes.end(), other->bytes.begin(), other->bytes.end());
  });
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto read = [&] {
    const SafetensorsFile file(bytes, "file");
    for (const RawTensor& tensor : file.tensors()) {
      if (std::ssize(tensor.shape) <= Shape::max_rank) file.tensor(tensor.name);
    }
  };
  // A tensor of bytes takes four times as much as Reals.
  if (!fuzz::reads(fuzz::most_memory(size), read)) return 0;
  const SafetensorsFile file(bytes, "file");
  const std::vector<std::byte> written = detail::safetensors_bytes(file.tensors(), file.metadata());
  const SafetensorsFile again(written, "copy");
  fuzz::check(same(file, again), "what is written is read again");
  fuzz::check(detail::safetensors_bytes(again.tensors(), again.metadata()) == written, "and written as the same bytes");
  return 0;
}
