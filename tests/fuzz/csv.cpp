#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <string>

#include "cornu/core/ops/ops.h"
#include "cornu/datasets/csv/csv.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

/// All samples; the targets go to `y`.
Tensor samples_of(const CsvDataset& data, Tensor& y) {
  Tensor x(data.feature_shape().batched(data.size()));
  y = Tensor(data.target_shape().batched(data.size()));
  std::vector<Index> rows(static_cast<std::size_t>(data.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<Index>(i);
  data.gather(rows, x, y);
  return x;
}

bool is_utf8(const CsvEncoding& encoding) {
  try {
    static_cast<void>(to_string(encoding));
  } catch (const ValueError&) {
    return false;
  }
  return true;
}

}  // namespace

/// The first two bytes select the options.
int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < 2) return 0;
  const unsigned options = data[0], format = data[1];
  const std::string table(reinterpret_cast<const char*>(data) + 2, size - 2);
  CsvOptions with;
  if ((format & 1) == 0) with.header = (options & 1) != 0;
  with.missing = std::array{CsvOptions::refuse, CsvOptions::drop_row, CsvOptions::fill_in}[(options >> 1 & 3) % 3];
  with.delimiter = (options & 8) != 0 ? '\t' : (options & 16) != 0 ? ';' : (options & 128) != 0 ? ' ' : ',';
  if ((options & 32) != 0) with.categorical = {0};
  if ((options & 64) != 0) with.most_categories = 3;
  if ((format & 2) != 0) with.target.reset();
  if ((format & 4) != 0) with.decimal = ',';
  if ((format & 8) != 0) with.thousands = (format & 4) != 0 ? '.' : ',';
  if ((format & 16) != 0) with.units = {"$", "%"};
  if ((format & 32) != 0) with.unknown = CsvOptions::other;
  CsvDataset read;
  std::istringstream stream(table);
  if (!fuzz::reads(fuzz::most_memory(size), [&] { read = read_csv(stream, "file", with); })) return 0;

  // A cell may expand to one element per category of its column.
  if (read.size() * std::ssize(read.feature_names()) > 1 << 16) return 0;
  Tensor y, again_y;
  const Tensor x = samples_of(read, y);
  std::ostringstream text;
  text.precision(17);
  for (Index row = 0; row < read.size(); ++row) {
    const Index width = x.shape()[1];
    for (Index i = 0; i < width; ++i) text << x[row * width + i] << ',';
    text << (y.size() > 0 ? y[row] : Real(0)) << '\n';
  }
  std::istringstream written(text.str());
  const CsvDataset again = read_csv(written, "copy", {.header = false});
  fuzz::check(samples_of(again, again_y) == x && (y.size() == 0 || std::equal(y.begin(), y.end(), again_y.begin())),
              "numbers that are written are read again");

  // The same table must give the same samples with an encoding that went through JSON.
  if (!is_utf8(read.encoding())) return 0;
  const CsvEncoding encoding = parse_csv_encoding(to_string(read.encoding()));
  fuzz::check(encoding == read.encoding(), "an encoding is the same after it has been in a file");
  std::istringstream once_more(table);
  const CsvDataset like = read_csv(once_more, "like", {.like = encoding, .header = encoding.header});
  fuzz::check(samples_of(like, again_y) == x && again_y == y, "a table is like itself");
  return 0;
}
