#include "cornu/keras/hdf5_file.h"

#include "cornu/core/tensor.h"
#include "cornu/tests/fuzz/fuzz.h"
#include "cornu/tests/support/hdf5_leaks.h"

using namespace cornu;

// Not counted: libhdf5 allocates with malloc.
int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  constexpr Index constant = Index{17} << 20;
  fuzz::reads(fuzz::most_memory(size, constant), [&] {
    const keras::detail::Hdf5File file(std::as_bytes(std::span(data, size)), "file", {.size_limit = 16 << 20});
    for (const RawTensor& tensor : file.content().tensors()) {
      fuzz::check(static_cast<std::size_t>(detail::byte_count(tensor.shape, tensor.dtype)) == tensor.bytes.size(),
                  "a tensor has the bytes of its shape");
    }
    file.texts("", "layer_names");
  });
  return 0;
}
