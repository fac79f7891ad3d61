// Files that another user has put into a folder before it is written to or read from.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "cornu/cornu.h"
#include "cornu/formats/event_file.h"
#include "cornu/tests/models/callbacks/line_model.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/other_user.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::line_data;
using testing::line_model;
using testing::quiet;
using testing::TemporaryFolder;

struct Writer {
  const char* name;
  std::function<void(const std::string& path)> write;
};

std::vector<Writer> whole_file_writers() {
  const auto model = [] {
    Sequential result({Input{2}, Dense{1}}, {.seed = 1});
    return result;
  };
  std::vector<Writer> writers{
      {"save", [=](const std::string& path) { model().save(path); }},
      {"save_weights", [=](const std::string& path) { model().save_weights(path); }},
      {"export_cpp", [=](const std::string& path) { model().export_cpp(path); }},
      {"write_safetensors", [](const std::string& path) { write_safetensors(path, {}); }},
      {"write_npy", [](const std::string& path) { write_npy(path, Tensor(Shape{2})); }},
      {"write_idx", [](const std::string& path) { write_idx(path, to_idx(Tensor(Shape{2}))); }},
      {"ModelCheckpoint",
       [](const std::string& path) { line_model().fit(line_data, quiet(1, {ModelCheckpoint{path}})); }},
  };
  if (has_npz()) writers.push_back({"write_npz", [](const std::string& path) { write_npz(path, {}); }});
  return writers;
}

TEST(PlantedFiles, DoNotPassOnTheirPermissions) {
  const TemporaryFolder folder;
  const bool of_other_user = testing::is_root();
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  for (const Writer& writer : whole_file_writers()) {
    SCOPED_TRACE(writer.name);
    testing::plant_file(folder / "f.safetensors", 06777, of_other_user);
    writer.write(folder / "f.safetensors");
    const struct stat after = testing::status_of(folder / "f.safetensors");
    EXPECT_EQ(after.st_uid, ::geteuid());
    EXPECT_EQ(after.st_mode & 07000, 0U);
    if (of_other_user) {
      EXPECT_EQ(after.st_mode & 0022, 0U) << "nobody else may write to it";
    }
    EXPECT_EQ(folder.names().size(), 1u);
  }
}

std::vector<Writer> writers() {
  std::vector<Writer> result = whole_file_writers();
  for (const bool append : {false, true}) {
    result.push_back({"CSVLogger", [=](const std::string& path) {
                        line_model().fit(line_data, quiet(1, {CSVLogger{.filename = path, .append = append}}));
                      }});
  }
  return result;
}

TEST(PlantedFiles, LinksOfAnotherUserAreNotFollowed) {
  if (!testing::is_root()) GTEST_SKIP() << "root alone can make links of other users";
  const TemporaryFolder folder;
  for (const mode_t mode : {0777, 01777}) {
    ASSERT_EQ(::chmod(folder.path().c_str(), mode), 0);
    for (const Writer& writer : writers()) {
      SCOPED_TRACE(writer.name);
      testing::plant_file(folder / "mine", 0600, false, "kept");
      for (const char* target : {"mine", "new"}) {
        testing::plant_link(folder / "f", target);
        EXPECT_NE(error_of<FileError>([&] { writer.write(folder / "f"); }).find("belongs to another user"),
                  std::string::npos);
      }
      EXPECT_EQ(testing::content(folder / "mine"), "kept");
      EXPECT_EQ(folder.names().size(), 2u);
    }
  }
}

TEST(PlantedFiles, AreNotAppendedToInAWorldWritableFolder) {
  if (!testing::is_root()) GTEST_SKIP() << "root alone can make files of other users";
  const TemporaryFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  testing::plant_file(folder / "log", 0666, true, "");
  EXPECT_EQ(
      error_of<FileError>(
          [&] { line_model().fit(line_data, quiet(1, {CSVLogger{.filename = folder / "log", .append = true}})); }),
      (folder / "log").string() +
          ": belongs to another user (user id 65534), in a folder that everyone can write to; choose another file");
  EXPECT_EQ(testing::content(folder / "log"), "");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  line_model().fit(line_data, quiet(1, {CSVLogger{.filename = folder / "log", .append = true}}));
  EXPECT_NE(testing::content(folder / "log"), "") << "only this user can write to the folder, so the file is trusted";
}

TEST(PlantedFiles, AnEventFileIsAlwaysNew) {
  const TemporaryFolder folder;
  testing::plant_file(folder / "mine", 0600, false, "kept");
  // The file's name contains the time, so the next few names are planted.
  const EventFile first(folder.path());
  const std::string name = std::filesystem::path(first.path()).filename();
  const auto seconds = std::stoll(name.substr(21, 10));
  std::string rest = name.substr(31);
  for (long long later = 0; later < 3; ++later) {
    const std::string taken = "events.out.tfevents." + std::to_string(seconds + later) + rest;
    if (taken != name) std::filesystem::create_symlink("mine", folder / taken);
  }
  const EventFile second(folder.path());
  second.write_scalar("a", 1, 1);
  EXPECT_EQ(testing::content(folder / "mine"), "kept");
  std::filesystem::remove(second.path());
  if (!testing::is_root()) return;
  testing::plant_link(second.path(), "mine");
  EXPECT_NE(error_of<FileError>([&] { second.write_scalar("a", 1, 2); }).find("belongs to another user"),
            std::string::npos);
  EXPECT_EQ(testing::content(folder / "mine"), "kept");
}

TEST(PlantedFiles, AreNotRestoredFrom) {
  if (!testing::is_root()) GTEST_SKIP() << "root alone can make files of other users";
  const TemporaryFolder folder;
  const std::string backup = folder / "backup";
  line_model().fit(line_data, quiet(1, {BackupAndRestore{.backup_dir = backup, .delete_checkpoint = false}}));
  testing::give_away(backup + "/backup.safetensors");
  testing::plant_file(backup + "/.backup.safetensors.1.0.part", 0600, true);
  testing::plant_file(backup + "/.backup.safetensors.2.0.part", 0600, false);
  EXPECT_EQ(error_of<FileError>([&] { line_model().fit(line_data, quiet(1, {BackupAndRestore{backup}})); }),
            "BackupAndRestore: " + backup +
                "/backup.safetensors: it belongs to another user (user id 65534); choose another backup_dir");
  EXPECT_TRUE(std::filesystem::exists(backup + "/.backup.safetensors.1.0.part")) << "another user's file";
  EXPECT_FALSE(std::filesystem::exists(backup + "/.backup.safetensors.2.0.part"));
  ASSERT_EQ(::chown((backup + "/backup.safetensors").c_str(), 0, 0), 0);
  line_model().fit(line_data, quiet(1, {BackupAndRestore{backup}}));
}

}  // namespace
}  // namespace cornu
