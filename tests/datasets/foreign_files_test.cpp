// Files of the wrong kind.
#include <gtest/gtest.h>

#include <fstream>

#include "cornu/core/error.h"
#include "cornu/datasets/csv/csv.h"
#include "cornu/formats/idx.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/foreign_files.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using detail::FileKind;
using testing::bytes_of;
using testing::expect_error;

std::string text_of(FileKind kind) { return message("this is {}; {}", name_of(kind), remedy_for(kind)); }

TEST(IdxReader, NamesTheKindOfAForeignFile) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "x";
  for (const auto& [kind, bytes] : testing::foreign_files()) {
    if (kind == FileKind::idx) continue;
    std::ofstream(path, std::ios::binary) << bytes;
    const std::string text = kind == FileKind::gzip
                                 ? std::string("this is a JSON text, compressed by gzip; ") + remedy_for(FileKind::json)
                                 : text_of(kind);
    expect_error<FormatError>([&] { read_idx(path); }, path + ": " + text);
    expect_error<FormatError>([&, &b = bytes] { read_idx_bytes(bytes_of(b), "x"); }, "x: " + text);
  }
}

TEST(CsvReader, NamesTheKindOfAForeignFile) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "x";
  for (const auto& [kind, bytes] : testing::foreign_files()) {
    if (kind == FileKind::csv || kind == FileKind::text || kind == FileKind::empty) continue;
    std::ofstream(path, std::ios::binary) << bytes;
    expect_error<FormatError>([&] { read_csv(path); }, path + ": " + text_of(kind));
  }
}

}  // namespace
}  // namespace cornu
