#include <algorithm>
#include <string>
#include <vector>

#include "cornu/formats/npy/npy_header.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/formats/zip.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

constexpr std::size_t most_content = std::size_t{1} << 18;

std::vector<std::byte> written(const std::vector<RawTensor>& arrays) {
  std::vector<std::string> headers;
  for (const RawTensor& array : arrays) headers.push_back(detail::npy_header(array));
  std::vector<detail::ZipMember> members;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    members.push_back({arrays[i].name + ".npy", std::as_bytes(std::span(headers[i])), arrays[i].bytes});
  }
  return detail::zip_file(members, true);
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const NpzOptions options{.size_limit = most_content};
  const Index limit = fuzz::most_memory(size + most_content);
  if (!fuzz::reads(limit, [&] { const NpzFile file(bytes, "file", options); })) return 0;
  const NpzFile file(bytes, "file", options);
  std::vector<std::byte> copy;
  try {
    copy = written(file.arrays());
  } catch (const ValueError&) {
    return 0;  // a name that is not UTF-8
  }
  const NpzFile again(copy, "copy", options);
  fuzz::check(again.arrays().size() == file.arrays().size(), "as many arrays are read again");
  for (const RawTensor& a : file.arrays()) {
    const RawTensor& b = again.array(a.name);
    fuzz::check(a.dtype == b.dtype && a.shape == b.shape, "type and shape are read again");
    fuzz::check(std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end()), "and the numbers");
  }
  return 0;
}
