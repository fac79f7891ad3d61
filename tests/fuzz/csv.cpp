#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <string>

#include "cornu/core/ops.h"
#include "cornu/datasets/csv.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

/// Every sample as a line of numbers; the targets in `y`.
Tensor samples_of(const CsvDataset& data, Tensor& y) {
  Tensor x(data.feature_shape().batched(data.size()));
  y = Tensor({data.size()});
  std::vector<Index> rows(static_cast<std::size_t>(data.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<Index>(i);
  data.gather(rows, x, y);
  return x;
}

}  // namespace

/// The first byte: the options.
int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned options = data[0];
  std::istringstream stream(std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  CsvOptions with;
  with.header = (options & 1) != 0;
  with.missing = std::array{CsvOptions::refuse, CsvOptions::drop_row, CsvOptions::fill_in}[(options >> 1 & 3) % 3];
  with.delimiter = (options & 8) != 0 ? '\t' : (options & 16) != 0 ? ';' : ',';
  if ((options & 32) != 0) with.categorical = {0};
  if ((options & 64) != 0) with.most_categories = 3;
  CsvDataset read;
  if (!fuzz::reads(fuzz::most_memory(size), [&] { read = read_csv(stream, "file", with); })) return 0;

  // A cell may hold a number for each category of its column.
  if (read.size() * std::ssize(read.feature_names()) > 1 << 16) return 0;
  Tensor y, again_y;
  const Tensor x = samples_of(read, y);
  std::ostringstream text;
  text.precision(17);
  for (Index row = 0; row < read.size(); ++row) {
    const Index width = x.shape()[1];
    for (Index i = 0; i < width; ++i) text << x[row * width + i] << ',';
    text << y[row] << '\n';
  }
  std::istringstream written(text.str());
  const CsvDataset again = read_csv(written, "copy", {.header = false});
  fuzz::check(samples_of(again, again_y) == x && again_y == y, "numbers that are written are read again");
  return 0;
}
