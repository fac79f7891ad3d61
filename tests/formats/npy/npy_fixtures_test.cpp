// Reads files written by NumPy: fixtures/arrays.py made those in fixtures/numpy. If CORNU_NUMPY names another folder
// with such files, they are read as well, and Cornu's output goes to its subfolder "written", for NumPy to read.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/fixture.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::expect_error;
using testing::TemporaryFolder;

std::filesystem::path fixtures() { return testing::fixture_path("CORNU_NUMPY", "tests/formats/fixtures/numpy"); }

/// A line of arrays.txt.
struct Line {
  std::string file, array;  // or "!"
  std::string dtype, shape, numbers;

  std::string text() const { return dtype; }  // the text of the error
  bool is_npz() const { return file.ends_with(".npz"); }
  bool is_error() const { return array == "!"; }
};

std::vector<Line> lines() {
  std::ifstream stream(fixtures() / "arrays.txt");
  require<FileError>(stream.good(), "{}: there is no arrays.txt", fixtures().string());
  std::vector<Line> result;
  for (std::string text; std::getline(stream, text);) {
    std::istringstream cells(text);
    Line line;
    for (std::string* cell : {&line.file, &line.array, &line.dtype, &line.shape, &line.numbers}) {
      std::getline(cells, *cell, '\t');
    }
    result.push_back(std::move(line));
  }
  return result;
}

template <class T, class Read>
std::vector<T> split(const std::string& text, char delimiter, Read read) {
  std::vector<T> result;
  if (text == "-") return result;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, delimiter);) result.push_back(read(word));
  return result;
}

void expect_array(const RawTensor& array, const Line& line) {
  SCOPED_TRACE(line.file + ": " + line.array);
  EXPECT_EQ(array.name, line.array);
  EXPECT_EQ(to_string(array.dtype), line.dtype);
  EXPECT_EQ(array.shape, split<Index>(line.shape, ',', [](const std::string& word) { return std::stol(word); }));
  const auto numbers = split<double>(line.numbers, ' ', [](const std::string& word) { return std::stod(word); });
  Tensor came({std::ssize(numbers)});
  const auto wide = split<long double>(line.numbers, ' ', [](const std::string& word) { return std::stold(word); });
  const bool is_exact = std::all_of(wide.begin(), wide.end(), [](long double number) {
    return static_cast<long double>(static_cast<Real>(number)) == number;
  });
  if ((line.dtype.starts_with('I') || line.dtype.starts_with('U')) && !is_exact) {
    EXPECT_NE(error_of<FormatError>([&] { convert(array, came); }).find(" cannot be represented exactly in a "),
              std::string::npos);
    return;
  }
  convert(array, came);
  for (Index i = 0; i < came.size(); ++i) {
    const auto wanted = static_cast<Real>(numbers[static_cast<std::size_t>(i)]);
    EXPECT_TRUE(came[i] == wanted || (std::isnan(came[i]) && std::isnan(wanted))) << came[i] << ", not " << wanted;
    EXPECT_TRUE(std::signbit(came[i]) == std::signbit(wanted) || std::isnan(wanted)) << i;
  }
}

TEST(NumPy, FilesAreRead) {
  Index count = 0;
  for (const Line& line : lines()) {
    const std::filesystem::path path = fixtures() / line.file;
    if (line.is_error() || (line.is_npz() && !has_npz())) continue;
    if (line.is_npz()) {
      expect_array(NpzFile(path).array(line.array), line);
    } else {
      for (const bool map : {false, true}) expect_array(NpyFile(path, {.memory_map = map}).array(), line);
    }
    ++count;
  }
  EXPECT_GE(count, has_npz() ? 90 : 5);
}

TEST(NumPy, UnsupportedFilesAreNamed) {
  Index count = 0;
  for (const Line& line : lines()) {
    if (!line.is_error() || (line.is_npz() && !has_npz())) continue;
    SCOPED_TRACE(line.file);
    const std::string path = (fixtures() / line.file).string();
    const auto open = [&] {
      if (line.is_npz()) {
        NpzFile(path).array("bad");  // asking for an unread array is an error
      } else {
        const NpyFile file(path);
      }
    };
    expect_error<FormatError>(open, path + ": " + line.text());
    ++count;
  }
  EXPECT_GE(count, has_npz() ? 15 : 9);
}

TEST(NumPy, ReadsCornusFiles) {
  if (!has_npz()) GTEST_SKIP() << "built without libzip";
  const TemporaryFolder temporary;
  const bool for_numpy = std::getenv("CORNU_NUMPY") != nullptr;
  const std::filesystem::path folder = for_numpy ? fixtures() / "written" : temporary.path();
  std::filesystem::create_directories(folder);
  const NpzFile file(fixtures() / "stored.npz");
  EXPECT_EQ(file.arrays().size(), 42u);
  write_npz(folder / "stored.npz", file.arrays());
  write_npz(folder / "compressed.npz", file.arrays(), {.compressed = true});
  write_npz(folder / "empty.npz", {});
  for (RawTensor array : file.arrays()) {
    std::replace(array.name.begin(), array.name.end(), '/', '_');
    write_npy(folder / (array.name + ".npy"), array);
  }

  const auto expect_same = [](const RawTensor& came, const RawTensor& wanted) {
    EXPECT_EQ(came.dtype, wanted.dtype) << wanted.name;
    EXPECT_EQ(came.shape, wanted.shape) << wanted.name;
    EXPECT_TRUE(std::equal(came.bytes.begin(), came.bytes.end(), wanted.bytes.begin(), wanted.bytes.end()))
        << wanted.name;
  };
  for (const char* name : {"stored.npz", "compressed.npz"}) {
    const NpzFile again(folder / name);
    ASSERT_EQ(again.arrays().size(), file.arrays().size());
    for (std::size_t i = 0; i < file.arrays().size(); ++i) {
      EXPECT_EQ(again.arrays()[i].name, file.arrays()[i].name);
      expect_same(again.arrays()[i], file.arrays()[i]);
    }
  }
  EXPECT_TRUE(NpzFile(folder / "empty.npz").arrays().empty());
  for (const RawTensor& array : file.arrays()) {
    std::string name = array.name;
    std::replace(name.begin(), name.end(), '/', '_');
    expect_same(NpyFile(folder / (name + ".npy")).array(), array);
  }
}

}  // namespace
}  // namespace cornu
