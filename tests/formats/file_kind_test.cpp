#include "cornu/formats/file_kind.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <set>

#include "cornu/formats/npy/npy.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/formats/safetensors.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/foreign_files.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using detail::FileKind;
using testing::bytes_of;
using testing::ForeignFile;

TEST(FileKind, IsRecognisedByTheFirstBytes) {
  std::set<FileKind> seen;
  for (const ForeignFile& file : testing::foreign_files()) {
    EXPECT_EQ(detail::file_kind(bytes_of(file.bytes)), file.kind) << name_of(file.kind) << ": " << file.bytes;
    seen.insert(file.kind);
  }
  for (int kind = 0; kind < static_cast<int>(FileKind::unknown); ++kind) {
    EXPECT_TRUE(seen.contains(static_cast<FileKind>(kind))) << name_of(static_cast<FileKind>(kind));
    EXPECT_STRNE(name_of(static_cast<FileKind>(kind)), name_of(FileKind::unknown)) << kind << " has no row";
  }
  EXPECT_EQ(detail::file_kind(bytes_of(std::string("\1\2\3\4"))), FileKind::unknown);
  for (const char* const table : {"PAR1,PAR2\n", "BZh,GIF8\n", "GGUF;BM\n", "P5,P2\n", "MM,II\n", "PK,x\n", "Rar!,7z\n",
                                  "MZ,ELF\n", "OggS,fLaC\n", "RIFF,WAVE\n", "ID3;PDF\n", "ARROW1,x\n",
                                  "SQLite format 3,x\n", "(dp,(lp\n", "category,x\np0,p1\n", "cnumpy,x\n", "]q,}q\n"}) {
    EXPECT_EQ(detail::file_kind(bytes_of(std::string(table))), FileKind::csv) << table;
  }
  for (const std::string& binary : {std::string(8, '\xff'), std::string("a,b\n1,2\n\0", 9), std::string("\1\2\3,4\n"),
                                    std::string("\xf0\x9f\x98"), std::string("\xd0\xff\xd0\xff,\xd0")}) {
    EXPECT_EQ(detail::file_kind(bytes_of(binary)), FileKind::unknown) << binary;
  }
  std::string cyrillic = "имя,рост\n";
  while (cyrillic.size() < 5000) cyrillic += "анна,1\n";
  for (const std::string& table : {std::string("a\x1b[0m,b\n1,2\n"), std::string("a,b\n1,2\n\x1a"),
                                   std::string("a\x01\x62,c\n1\x01\x32,3\n"), std::string("имя,рост\n"), cyrillic,
                                   " " + cyrillic, std::string("名前,身長\n"), std::string("\xef\xbb\xbfимя,рост\n")}) {
    EXPECT_EQ(detail::file_kind(bytes_of(table)), FileKind::csv) << table.substr(0, 40);
  }
  EXPECT_EQ(detail::file_kind(bytes_of(std::string("category\np0\np1\n"))), FileKind::text);
  EXPECT_EQ(detail::file_kind(bytes_of(std::string(" \n"))), FileKind::text);
  EXPECT_EQ(detail::file_kind(bytes_of(std::string(8, '\xff'))), FileKind::unknown);
  EXPECT_EQ(detail::file_kind(bytes_of(std::string(4096, '\0'))), FileKind::unknown);
}

TEST(FileKind, EveryReaderNamesTheKindOfAForeignFile) {
  struct Reader {
    FileKind kind;
    std::function<void(const std::string& path)> from_file;
    std::function<void(const std::string& bytes)> from_memory;
  };
  std::vector<Reader> readers{{FileKind::safetensors, [](const std::string& path) { SafetensorsFile{path}; },
                               [](const std::string& bytes) { SafetensorsFile(bytes_of(bytes), "x"); }},
                              {FileKind::npy, [](const std::string& path) { NpyFile{path}; },
                               [](const std::string& bytes) { NpyFile(bytes_of(bytes), "x"); }}};
  if (has_npz()) {
    readers.push_back({FileKind::npz, [](const std::string& path) { NpzFile{path}; },
                       [](const std::string& bytes) { NpzFile(bytes_of(bytes), "x"); }});
  }
  const testing::TemporaryFolder folder;
  const std::string path = (folder / "x").string();
  for (const ForeignFile& file : testing::foreign_files()) {
    std::ofstream(path, std::ios::binary) << file.bytes;
    const std::string text = message("this is {}; {}", name_of(file.kind), remedy_for(file.kind));
    for (const Reader& reader : readers) {
      if (reader.kind == file.kind) continue;
      // The reader lists what is in the archive.
      if (reader.kind == FileKind::npz && file.kind == FileKind::zip) continue;
      SCOPED_TRACE(name_of(reader.kind));
      testing::expect_error<FormatError>([&] { reader.from_file(path); }, path + ": " + text);
      testing::expect_error<FormatError>([&] { reader.from_memory(file.bytes); }, "x: " + text);
    }
  }
}

/// A file truncated anywhere, or two files joined, is described by a kind or by its first bytes. The errors never take
/// other bytes for a length.
TEST(FileKind, TruncatedAndJoinedFilesGiveSensibleErrors) {
  const auto expect_sense = [](const std::string& bytes) {
    const FileKind kind = detail::file_kind(bytes_of(bytes));
    if (kind == FileKind::safetensors || kind == FileKind::npz) return;
    const std::string as_unknown = "x: it begins with " + detail::beginning_of(bytes_of(bytes)) + ", which no ";
    const auto expect_said = [&](const std::string& error) {
      const bool is_named = kind != FileKind::unknown && error == "x: " + detail::described(kind);
      // Zero bytes are a valid header length.
      EXPECT_TRUE(is_named || error.starts_with(as_unknown) || kind == FileKind::npy ||
                  (kind == FileKind::unknown && error == "x: the header does not begin with {"))
          << error;
    };
    if (kind != FileKind::unknown || bytes.size() > 8) {
      expect_said(testing::error_of<FormatError>([&] { SafetensorsFile(bytes_of(bytes), "x"); }));
    }
    expect_said(testing::error_of<FormatError>([&] { NpyFile(bytes_of(bytes), "x"); }));
    // An archive may follow anything, as in a self-extracting program.
    if (has_npz() && bytes.find("PK") == std::string::npos) {
      expect_said(testing::error_of<FormatError>([&] { NpzFile(bytes_of(bytes), "x"); }));
    }
  };
  for (const ForeignFile& file : testing::foreign_files()) {
    for (std::size_t size = 0; size < std::min<std::size_t>(file.bytes.size(), 40); ++size) {
      expect_sense(file.bytes.substr(0, size));
    }
    for (const ForeignFile& other : testing::foreign_files()) expect_sense(file.bytes.substr(0, 9) + other.bytes);
  }
}

TEST(FileKind, ADamagedFileKeepsItsKind) {
  EXPECT_EQ(testing::error_of<FormatError>([] { NpyFile(bytes_of(std::string("\x93NUMPY\7")), "x"); }),
            "x: it ends before its version");
  EXPECT_EQ(detail::described_if_foreign(bytes_of(std::string("\2\0\0\0\0\0\0\0{]", 10)), {FileKind::safetensors}), "");
  EXPECT_EQ(detail::described_if_foreign(bytes_of(std::string("\1\2\3\4")), {FileKind::safetensors}), "");
}

}  // namespace
}  // namespace cornu
