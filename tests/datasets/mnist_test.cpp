#include "cornu/datasets/mnist.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include "cornu/core/error.h"
#include "cornu/datasets/dataset.h"
#include "cornu/datasets/download/download.h"
#include "cornu/formats/idx.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/loopback_server.h"
#include "cornu/tests/support/other_user.h"
#include "cornu/tests/support/sha256.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using datasets::Mnist;
using datasets::MnistSource;
using testing::error_of;
using testing::LoopbackServer;
using testing::sha256;
using testing::TemporaryFolder;

using Bytes = std::vector<std::uint8_t>;

/// Sets or unsets an environment variable during its lifetime.
class Variable {
 public:
  Variable(const char* name, const std::optional<std::string>& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~Variable() { set(old_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  void set(const std::optional<std::string>& value) {
    if (value) {
      setenv(name_, value->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

  const char* name_;
  std::optional<std::string> old_;
};

IdxArray images(Index count, std::uint8_t first = 0) {
  Bytes pixels(static_cast<std::size_t>(count) * 784);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(first + i / 784);
  return {{count, 28, 28}, pixels};
}

IdxArray labels(const Bytes& values) { return {{std::ssize(values)}, values}; }

constexpr const char* train_images = "train-images-idx3-ubyte";
constexpr const char* train_labels = "train-labels-idx1-ubyte";
constexpr const char* test_images = "t10k-images-idx3-ubyte";
constexpr const char* test_labels = "t10k-labels-idx1-ubyte";

/// Writes five training and two test images in files with MNIST's names and format.
void write_small_mnist(const std::filesystem::path& folder, const std::string& ending = "") {
  std::filesystem::create_directories(folder);
  write_idx(folder / (train_images + ending), images(5));
  write_idx(folder / (train_labels + ending), labels({5, 0, 4, 1, 9}));
  write_idx(folder / (test_images + ending), images(2, 100));
  write_idx(folder / (test_labels + ending), labels({7, 2}));
}

void expect_small_mnist(const Mnist& mnist) {
  EXPECT_EQ(mnist.train.size(), 5);
  EXPECT_EQ(mnist.test.size(), 2);
  EXPECT_EQ(mnist.train.feature_shape(), (Shape{28, 28}));
  EXPECT_EQ(mnist.train.classes(), 10);
  EXPECT_EQ(mnist.train.label(4), 9);
  EXPECT_EQ(mnist.test.label(0), 7);
  EXPECT_EQ(mnist.train.image(3)[783], 3);
  EXPECT_EQ(mnist.test.image(1)[0], 101);
}

/// Provides an empty cache folder and unsets CORNU_DATA, so that only the test's files exist.
class MnistFiles : public ::testing::Test {
 protected:
  const TemporaryFolder folder;
  const std::string cache = (folder / "cache").string();
  const Variable cornu_data{"CORNU_DATA", std::nullopt};
  const Variable cache_home{"XDG_CACHE_HOME", cache};

  std::string given_error() const {
    return error_of<FileError>([&] { datasets::mnist({.directory = folder / "given", .download = false}); });
  }
  std::string path(const char* name) const { return (folder / "given" / name).string(); }
};

TEST_F(MnistFiles, CanBeRawOrCompressedUnderAllCommonNames) {
  write_small_mnist(folder / "raw");
  write_small_mnist(folder / "packed", ".gz");
  std::filesystem::create_directories(folder / "dots");
  for (const auto& [from, to] :
       {std::pair{train_images, "train-images.idx3-ubyte"}, std::pair{train_labels, "train-labels.idx1-ubyte"},
        std::pair{test_images, "t10k-images.idx3-ubyte"}}) {
    std::filesystem::copy_file(folder / "raw" / from, folder / "dots" / to);
  }
  write_idx(folder / "dots" / "t10k-labels.idx1-ubyte.gz", labels({7, 2}));
  for (const char* name : {"raw", "packed", "dots"}) expect_small_mnist(datasets::mnist({.directory = folder / name}));
}

TEST_F(MnistFiles, AreSplitIntoTrainAndTest) {
  write_small_mnist(folder / "given");
  const auto [train, test] = datasets::mnist({.directory = folder / "given"});
  EXPECT_EQ(DatasetRef(train).size(), 5);
  EXPECT_EQ(test.class_name(7), "7");
  EXPECT_EQ(datasets::fashion_mnist({.directory = folder / "given"}).train.class_name(9), "Ankle boot");
}

TEST_F(MnistFiles, AreSearchedInCornuDataThenInTheCache) {
  write_small_mnist(folder / "cache" / "cornu" / "mnist", ".gz");
  expect_small_mnist(datasets::mnist({.download = false}));
  write_small_mnist(folder / "data" / "mnist");
  write_idx(folder / "data" / "mnist" / train_labels, labels({1, 1, 1, 1, 1}));
  const Variable data("CORNU_DATA", (folder / "data").string());
  EXPECT_EQ(datasets::mnist({.download = false}).train.label(4), 1) << "CORNU_DATA comes first";
  EXPECT_THROW(datasets::fashion_mnist({.download = false}), FileError) << "which has a folder of its own";
}

TEST_F(MnistFiles, AreCachedInTheHomeFolderWithoutXdgCacheHome) {
  write_small_mnist(folder / ".cache" / "cornu" / "mnist");
  const Variable home("HOME", folder.path().string());
  for (const auto& unusable : {std::optional<std::string>(), std::optional<std::string>("relative/path")}) {
    const Variable none("XDG_CACHE_HOME", unusable);
    expect_small_mnist(datasets::mnist({.download = false}));
  }
}

TEST_F(MnistFiles, AreSearchedInTheGivenFolderFirst) {
  write_small_mnist(folder / "cache" / "cornu" / "mnist");
  write_idx(folder / "cache" / "cornu" / "mnist" / train_labels, labels({1, 1, 1, 1, 1}));
  const std::filesystem::path given = folder / "given";
  EXPECT_EQ(datasets::mnist({.directory = given, .download = false}).train.label(4), 1) << "from the cache";
  write_small_mnist(given);
  expect_small_mnist(datasets::mnist({.directory = given, .download = false}));
}

TEST_F(MnistFiles, ErrorNamesTheFilesMissingInTheGivenFolder) {
  const std::string given = (folder / "given").string();
  std::filesystem::create_directories(given);
  write_idx(folder / "given" / train_labels, labels({1}));
  const std::string error = given_error();
  EXPECT_EQ(error.substr(0, error.find("\n  $CORNU_DATA")),
            "mnist: the files were not found:\n  " + given +
                ": lacks train-images-idx3-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte");
}

TEST_F(MnistFiles, ErrorNamesAFolderWithoutPermission) {
  write_small_mnist(folder / "given");
  std::filesystem::permissions(folder / "given", std::filesystem::perms::none);
  const uid_t user = geteuid();
  ASSERT_EQ(seteuid(user == 0 ? 65534 : user), 0) << "root may look everywhere";
  const std::string error = given_error();
  ASSERT_EQ(seteuid(user), 0);
  std::filesystem::permissions(folder / "given", std::filesystem::perms::owner_all);
  const std::string given = (folder / "given").string();
  EXPECT_EQ(error.substr(0, error.find("\n  $CORNU_DATA")),
            "mnist: the files were not found:\n  " + given + ": no permission to look inside");
}

TEST_F(MnistFiles, ErrorListsEveryPlaceSearched) {
  const Variable data("CORNU_DATA", "/nonexistent");
  EXPECT_EQ(error_of<FileError>([] { datasets::mnist({.download = false}); }),
            "mnist: the files were not found:\n"
            "  /nonexistent/mnist: there is no such folder\n"
            "  " +
                cache +
                "/cornu/mnist: there is no such folder\n"
                "  download: not allowed (.download = false)\n"
                "  (give the folder they are in, or set CORNU_DATA to the parent of a folder named mnist)");
  const Variable no_cache("XDG_CACHE_HOME", std::nullopt), no_home("HOME", std::nullopt), no_data("CORNU_DATA", "");
  EXPECT_EQ(error_of<FileError>([] { datasets::fashion_mnist(); }),
            "fashion-mnist: the files were not found:\n"
            "  $CORNU_DATA: not set\n"
            "  the user's cache folder: none, because neither XDG_CACHE_HOME nor HOME is set\n"
            "  (give the folder they are in, or set CORNU_DATA to the parent of a folder named fashion-mnist)");
}

TEST_F(MnistFiles, AreCheckedForTheirMagicNumbers) {
  write_small_mnist(folder / "given");
  write_idx(path(train_images), labels({1, 2}));
  EXPECT_EQ(given_error(), path(train_images) + ": magic 2049, expected 2051 (is this the labels file?)");
  write_small_mnist(folder / "given");
  write_idx(path(test_labels), images(1));
  EXPECT_EQ(given_error(), path(test_labels) + ": magic 2051, expected 2049 (is this the images file?)");
  write_idx(path(test_labels), {{2}, std::vector<float>{1, 2}});
  EXPECT_EQ(given_error(), path(test_labels) + ": magic 3329, expected 2049");
}

TEST_F(MnistFiles, AreCheckedForConsistency) {
  write_small_mnist(folder / "given");
  write_idx(path(train_labels), labels({1, 2, 3, 4}));
  EXPECT_EQ(given_error(), path(train_labels) + ": 4 labels, but " + path(train_images) + " has 5 images");
  write_idx(path(train_labels), labels({1, 2, 3, 10, 4}));
  EXPECT_EQ(given_error(), path(train_labels) + ": label 10 in row 3; labels must be below 10");
  write_idx(path(train_images), {{1, 14, 56}, Bytes(784)});
  EXPECT_EQ(given_error(), path(train_images) + ": images of (14, 56) pixels, expected (28, 28)");
  write_idx(path(train_images), images(0));
  EXPECT_EQ(given_error(), path(train_images) + ": it contains no images");
}

TEST_F(MnistFiles, ErrorNamesADamagedFile) {
  write_small_mnist(folder / "given");
  std::filesystem::resize_file(path(train_images), 1000);
  EXPECT_EQ(given_error(),
            path(train_images) + ": dimensions (5, 28, 28) of u8 need 3920 bytes, the file has exactly 984");
}

/// Serves the small files from a local server.
class MnistDownload : public MnistFiles {
 protected:
  void SetUp() override {
    if (!can_download()) GTEST_SKIP() << "built without libcurl";
    source.train_images = publish(train_images, images(5));
    source.train_labels = publish(train_labels, labels({5, 0, 4, 1, 9}));
    source.test_images = publish(test_images, images(2, 100));
    source.test_labels = publish(test_labels, labels({7, 2}));
  }

  datasets::MnistFile publish(const std::string& name, const IdxArray& array) {
    const std::vector<std::byte> bytes = detail::idx_bytes(array, true);
    server.answer("/" + name + ".gz", testing::ok({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    return {name, sha256(bytes), bytes.size()};
  }

  LoopbackServer server;
  MnistSource source{.name = "small",
                     .train_images{},
                     .train_labels{},
                     .test_images{},
                     .test_labels{},
                     .mirrors{server.url("/broken/"), server.url("/")},
                     .class_names = std::vector<std::string>(10, "digit"),
                     .allow_http_to_loopback = true};
};

TEST_F(MnistDownload, DownloadsOnlyMissingFilesAndOnlyOnce) {
  std::filesystem::create_directories(cache + "/cornu/small");
  write_idx(cache + "/cornu/small/" + test_labels, labels({7, 2}));
  expect_small_mnist(datasets::mnist_like(source));
  EXPECT_EQ(server.requests().size(), 6u) << "three files, from the second mirror each";
  expect_small_mnist(datasets::mnist_like(source));
  EXPECT_EQ(server.requests().size(), 6u);
}

TEST_F(MnistDownload, ReportsWhyItFailedAndLeavesNoFile) {
  server.answer("/train-images-idx3-ubyte.gz", testing::ok("another file"));
  const std::string text = error_of<FileError>([&] { datasets::mnist_like(source); });
  const std::string file = cache + "/cornu/small/train-images-idx3-ubyte.gz";
  EXPECT_NE(text.find("\n  " + cache + "/cornu/small: there is no such folder\n  download: " + file +
                      ": could not be downloaded\n    " + server.url("/broken/train-images-idx3-ubyte.gz") +
                      ": the server answered with HTTP status 404\n    " + server.url("/train-images-idx3-ubyte.gz") +
                      ": the 12 bytes received have the SHA-256 "),
            std::string::npos)
      << text;
  EXPECT_TRUE(std::filesystem::is_empty(cache + "/cornu/small"));
}

TEST_F(MnistDownload, ReportsThatTheCacheFolderCannotBeCreated) {
  std::ofstream(folder / "cache") << "a file where the folder should be";
  EXPECT_NE(error_of<FileError>([&] {
              datasets::mnist_like(source);
            }).find("download: " + cache + "/cornu/small: this folder cannot be created (Not a directory)"),
            std::string::npos);
}

TEST_F(MnistDownload, CreatesAPrivateFolder) {
  const mode_t mask = ::umask(0);
  expect_small_mnist(datasets::mnist_like(source));
  ::umask(mask);
  for (const char* level : {"", "/cornu", "/cornu/small"}) {
    EXPECT_EQ(testing::status_of(cache + level).st_mode & 0777, 0700U) << level;
  }
}

TEST_F(MnistDownload, UsesNoFolderThatOthersCanWriteTo) {
  expect_small_mnist(datasets::mnist_like(source));
  const auto expect_refused = [&](const std::string& text) {
    EXPECT_NE(error_of<FileError>([&] { datasets::mnist_like(source); }).find("\n  " + text + "\n"), std::string::npos)
        << error_of<FileError>([&] { datasets::mnist_like(source); });
  };
  for (const char* level : {"/cornu", "/cornu/small"}) {
    ASSERT_EQ(::chmod((cache + level).c_str(), 0777), 0);
    expect_refused(cache + level + ": not used: everyone can write to it");
    ASSERT_EQ(::chmod((cache + level).c_str(), 0775), 0);
    expect_small_mnist(datasets::mnist_like(source));
  }
  if (!testing::is_root()) return;
  for (const char* level : {"/cornu", "/cornu/small"}) {
    testing::give_away(cache + level);
    expect_refused(cache + level + ": not used: it belongs to another user (user id 65534)");
    ASSERT_EQ(::chown((cache + level).c_str(), 0, 0), 0);
  }
  std::filesystem::rename(cache + "/cornu/small", folder / "elsewhere");
  testing::plant_link(cache + "/cornu/small", folder / "elsewhere");
  expect_refused(cache + "/cornu/small: not used: it is a link that belongs to another user (user id 65534)");
  EXPECT_EQ(server.requests().size(), 8u) << "nothing was downloaded into it either";
}

std::string raw_sha256(const ImageDataset& dataset, bool of_labels) {
  const Bytes pixels(dataset.pixels().begin(), dataset.pixels().end());
  const Bytes classes(dataset.labels().begin(), dataset.labels().end());
  const IdxArray array = of_labels ? labels(classes) : IdxArray{{dataset.size(), 28, 28}, pixels};
  return sha256(detail::idx_bytes(array, false));
}

TEST(MnistItself, HasTheExpectedHashes) {
  if (std::getenv("CORNU_DATA") == nullptr) GTEST_SKIP() << "CORNU_DATA is not set";
  const auto [train, test] = datasets::mnist({.download = false});
  EXPECT_EQ(train.size(), 60'000);
  EXPECT_EQ(test.size(), 10'000);
  EXPECT_EQ(raw_sha256(train, false), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db");
  EXPECT_EQ(raw_sha256(train, true), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5");
  EXPECT_EQ(raw_sha256(test, false), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7");
  EXPECT_EQ(raw_sha256(test, true), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2");
}

}  // namespace
}  // namespace cornu
