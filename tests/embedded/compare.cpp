// Compares the board's outputs with the same computation on the host and with the library: compare HOST LIBRARY. Reads
// `input`, `output` and `library`; prints the largest differences. HOST and LIBRARY are the
// tolerances.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "cornu/tests/embedded/program.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const double host_tolerance = std::strtod(argv[1], nullptr), library_tolerance = std::strtod(argv[2], nullptr);
  std::ifstream in("input", std::ios::binary), board("output", std::ios::binary), library("library", std::ios::binary);
  const auto next = [](std::ifstream& file, float* elements, std::size_t count) {
    return static_cast<bool>(
        file.read(reinterpret_cast<char*>(elements), static_cast<std::streamsize>(count * sizeof(float))));
  };
  // The larger one, or NaN if there is one.
  const auto larger = [](double a, double b) { return b > a || std::isnan(b) ? b : a; };
  double to_host = 0, to_library = 0;
  std::size_t samples = 0;
  for (; next(in, input, input_count); ++samples) {
    run();
    for (std::size_t i = 0; i < output_count; ++i) {
      float by_board = 0, by_library = 0;
      if (!next(board, &by_board, 1) || !next(library, &by_library, 1)) {
        std::fprintf(stderr, "compare: outputs are missing\n");
        return 1;
      }
      to_host = larger(to_host, std::fabs(by_board - output[i]));
      to_library = larger(to_library, std::fabs(by_board - by_library));
    }
  }
  std::printf("%8.1e %8.1e\n", to_host, to_library);
  return samples > 0 && to_host <= host_tolerance && to_library <= library_tolerance ? 0 : 1;
}
