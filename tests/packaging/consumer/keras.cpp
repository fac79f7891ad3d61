#include <cornu/cornu.h>
#include <cornu/keras/load.h>

#include <cstdio>
#include <string_view>

using namespace cornu;

// libhdf5 is linked if its own error about a damaged file arrives.
int main() {
  constexpr std::string_view file("\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0", 16);
  try {
    keras::parse(std::as_bytes(std::span(file)), "file");
    return 1;
  } catch (const FormatError& error) {
    std::puts(error.what());
    return std::string_view(error.what()) == "file: libhdf5 cannot read the file; is the file damaged?" ? 0 : 1;
  }
}
