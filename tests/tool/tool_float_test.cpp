#include <fmt/format.h>

#include <csignal>

#include "cornu/tests/support/paths.h"
#include "cornu/tests/tool/support.h"

namespace cornu::tool {
namespace {

class Tool : public ToolTest {
 protected:
  Tool() { small.model.save(folder / "m.safetensors"); }

  /// Expects that OUT is still the old file, with no other file next to it.
  void expect_kept(const std::string& old) const {
    EXPECT_EQ(read("small/w.safetensors"), old);
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "small")) count += entry.is_regular_file();
    EXPECT_EQ(count, 1u);
  }

  /// True if file systems can be mounted privately.
  bool can_mount() const { return shell("unshare -rm sh -c 'mount -t tmpfs none .'").status == 0; }

  SmallModel small;
};

TEST_F(Tool, PrintsHelpOnStandardOutput) {
  EXPECT_NE(output("--help").find("Usage: cornu"), std::string::npos);
  EXPECT_TRUE(output("--version").starts_with("cornu "));
  for (const char* command : {"info", "convert", "predict", "run", "evaluate"}) {
    EXPECT_NE(output(fmt::format("{} --help", command)).find(fmt::format("Usage: cornu {}", command)),
              std::string::npos);
  }
}

TEST_F(Tool, MisuseAndFailureHaveDifferentStatuses) {
  const std::string hint = "\nTry 'cornu --help' for more.";
  expect_failure("", "a command is required; 'cornu --help' lists them", 2);
  expect_failure("nonsense", "The following argument was not expected: nonsense" + hint, 2);
  expect_failure("info", "FILE is required" + hint, 2);
  expect_failure("info --nonsense m.safetensors", "The following argument was not expected: --nonsense" + hint, 2);
  expect_failure("predict m.safetensors x --all --top 3", "--all excludes --top" + hint, 2);
  expect_failure("predict m.safetensors x --top 0", "--top: Value 0 not in range 1 to 1000000" + hint, 2);
  expect_failure("predict m.safetensors x --scale a", "Could not convert: --scale = a" + hint, 2);
  expect_failure("predict m.safetensors x -o", "--output requires a value" + hint, 2);
  expect_failure("info x", "x: cannot be opened (No such file or directory)");
}

TEST_F(Tool, TheManualNamesEveryCommandAndOption) {
  std::ifstream file(testing::source_path("tool/cornu.1"));
  std::string manual{std::istreambuf_iterator<char>(file), {}};
  std::erase(manual, '\\');  // before a dash
  for (const char* command : {"info", "convert", "predict", "run", "evaluate"}) {
    EXPECT_NE(manual.find(fmt::format("cornu {}", command)), std::string::npos) << command;
    const std::string help = output(fmt::format("{} --help", command));
    for (std::size_t at = 0; (at = help.find("--", at)) != std::string::npos; ++at) {
      const std::string option =
          help.substr(at, help.find_first_not_of("-abcdefghijklmnopqrstuvwxyz0123456789", at) - at);
      EXPECT_NE(manual.find(option), std::string::npos) << option;
    }
  }
}

TEST_F(Tool, AClosedPipeIsASilentFailure) {
  // A pipe without a reader.
  const std::string unread = "mkfifo pipe; exec 4<>pipe 5>pipe 4>&-; rm pipe; ";
  const Result ended = shell(unread + "\"$cornu\" info m.safetensors >&5");
  EXPECT_EQ(ended.status, 128 + SIGPIPE);
  EXPECT_EQ(ended.err, "");
  const Result ignored = shell(unread + "trap '' PIPE; \"$cornu\" info m.safetensors >&5");
  EXPECT_EQ(ignored.status, 1);
  EXPECT_EQ(ignored.err, "");
  EXPECT_EQ(shell("\"$cornu\" info m.safetensors | head -n 1").out, "m.safetensors: Cornu model, format version 1\n");
}

TEST_F(Tool, AFullStandardOutputIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  const Result result = shell("\"$cornu\" info m.safetensors >/dev/full");
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "cornu: standard output: No space left on device\n");
}

/// For all commands, the status is 1 if their standard output cannot be written, whether it is the result or a list of
/// parts left out. Standard error does not affect the status, and files are written in any case.
TEST_F(Tool, OutputFilesAreWrittenEvenIfStandardStreamsFail) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  const std::string unread = "mkfifo pipe; exec 4<>pipe 5>pipe 4>&-; rm pipe; ";  // a pipe without a reader
  struct Command {
    const char* arguments;
    int status;
    bool has_result;
  };
  write_idx(path("x"), small.images());
  write("t.csv", "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1\n");
  const std::array<Command, 10> commands{{{"info m.safetensors", 0, true},
                                          {"predict m.safetensors x", 0, true},
                                          {"--help", 0, true},
                                          {"convert m.safetensors w.safetensors", 0, true},
                                          {"convert x x.npy", 0, false},  // nothing is left out
                                          {"predict m.safetensors x -o y.npy", 0, false},
                                          {"evaluate m.safetensors --data t.csv", 0, true},
                                          {"info none", 1, false},
                                          {"predict m.safetensors m.safetensors", 1, false},
                                          {"nonsense", 2, false}}};
  for (const Command& command : commands) {
    const auto status = [&](const std::string& redirections) {
      return shell(unread + "\"$cornu\" " + command.arguments + redirections).status;
    };
    SCOPED_TRACE(command.arguments);
    const Result whole = cornu(command.arguments);
    EXPECT_EQ(whole.status, command.status);
    for (const char* const closed : {" 2>&-", " 2>/dev/full", " 2>&5", " 2>/dev/full <&-"}) {
      const Result result = shell(unread + "\"$cornu\" " + command.arguments + closed);
      EXPECT_EQ(result.status, command.status) << closed;
      EXPECT_EQ(result.out, whole.out) << closed;
    }
    const int unwritten = command.has_result ? 1 : command.status;
    for (const char* const closed : {" >&-", " >/dev/full", " >&- 2>&-", " >/dev/full 2>/dev/full", " >&- 2>&- <&-"}) {
      EXPECT_EQ(status(closed), unwritten) << closed;
    }
  }
  EXPECT_EQ(read("w.safetensors").find("left out"), std::string::npos) << "nothing was printed into the file";
  EXPECT_EQ(read("w.safetensors").substr(8, 1), "{");
}

TEST_F(Tool, AFileThatGrowsTooLargeKeepsTheOldOne) {
  std::filesystem::create_directory(folder / "small");
  write("small/w.safetensors", "old");
  const Result result = shell("ulimit -f 1; \"$cornu\" convert m.safetensors small/w.safetensors");
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "cornu: small/w.safetensors: cannot be written (File too large)\n");
  expect_kept("old");
}

TEST_F(Tool, AFullDiskKeepsTheOldFile) {
  if (!can_mount()) GTEST_SKIP() << "nothing can be mounted here";
  std::filesystem::create_directory(folder / "small");
  const Result result = shell(
      "export cornu; unshare -rm sh -c 'mount -t tmpfs -o size=4k none small && cd small && echo old >w.h && cd .. &&"
      "\"$cornu\" convert m.safetensors small/w.h; echo status $?; cat small/w.h; ls -A small'");
  EXPECT_EQ(result.err, "cornu: small/w.h: cannot be written (No space left on device)\n");
  EXPECT_EQ(result.out, "status 1\nold\nw.h\n");
}

TEST_F(Tool, AReadOnlyFolderKeepsTheOldFile) {
  if (!can_mount()) GTEST_SKIP() << "nothing can be mounted here";
  std::filesystem::create_directory(folder / "small");
  write("small/w.safetensors", "old");
  const Result result = shell(
      "export cornu; unshare -rm sh -c 'mount --bind small small && mount -o remount,bind,ro small &&"
      "\"$cornu\" convert m.safetensors small/w.safetensors'");
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "cornu: small/w.safetensors: cannot create a file in its folder (Read-only file system)\n");
  expect_kept("old");
}

TEST_F(Tool, AFolderOfAnotherUserKeepsTheOldFile) {
  std::filesystem::create_directory(folder / "small");
  write("small/w.safetensors", "old");
  std::filesystem::permissions(folder / "small", std::filesystem::perms(0555));
  const bool is_root = shell("test \"$(id -u)\" = 0").status == 0;
  if (is_root) {
    std::filesystem::permissions(folder.path(), std::filesystem::perms(0777));
    if (shell("setpriv --reuid=65534 --clear-groups \"$cornu\" --version").status != 0) {
      GTEST_SKIP() << "root ignores permissions, and the user nobody cannot run the program";
    }
  }
  const Result result = shell(fmt::format("{}\"$cornu\" convert m.safetensors small/w.safetensors",
                                          is_root ? "setpriv --reuid=65534 --clear-groups " : ""));
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "cornu: small/w.safetensors: cannot create a file in its folder (Permission denied)\n");
  expect_kept("old");
}

#ifdef CORNU_EXAMPLE_MNIST
TEST_F(Tool, AnExampleThatCannotPrintFinishes) {
  for (const char* const closed : {" 2>&-", " 2>/dev/full", " >&-", " >/dev/full", " >&- 2>&- <&-"}) {
    std::filesystem::remove(folder / "e.safetensors");
    EXPECT_EQ(shell(fmt::format(CORNU_EXAMPLE_MNIST " --digits --epochs 1 --save e.safetensors{}", closed)).status, 0)
        << closed;
    EXPECT_EQ(read("e.safetensors").substr(8, 1), "{") << closed;
    EXPECT_EQ(shell(fmt::format(CORNU_EXAMPLE_MNIST " --digits --epochs 1 --save none/e{}", closed)).status, 1)
        << closed;
  }
}

TEST_F(Tool, UsesWhatTheMnistExampleSaves) {
  const char* const data = std::getenv("CORNU_DATA");
  const bool has_mnist = data != nullptr && std::filesystem::exists(std::filesystem::path(data) / "mnist");
  const Result example = shell(
      fmt::format(CORNU_EXAMPLE_MNIST " --epochs 1 --quiet --save mnist.safetensors {}", has_mnist ? "" : "--digits"));
  ASSERT_EQ(example.status, 0) << example.err;
  const std::string info = output("info mnist.safetensors");
  EXPECT_NE(info.find("Model: \"mnist\"\n"), std::string::npos) << info;
  EXPECT_NE(info.find("Total params: 101,770 (397.54 KB)\n"), std::string::npos) << info;
  EXPECT_NE(info.find("Training state: after "), std::string::npos) << info;

  const auto digits = datasets::digits({.samples = 100}).test;
  const Index count = digits.size();
  const std::vector<std::uint8_t> pixels(digits.pixels().begin(), digits.pixels().end());
  write_idx(path("x.gz"), {.dimensions{count, 28, 28}, .data = pixels}, {.gzip = true});
  const Tensor expected = Sequential::load(folder / "mnist.safetensors").predict(digits);
  expect_rows(output("predict --all mnist.safetensors x.gz"), expected);
#ifdef CORNU_HAS_ONNX
  output("convert mnist.safetensors mnist.onnx");
  expect_rows(output("predict --all mnist.onnx x.gz"), expected, Real(1e-5));
#endif
  if (!has_mnist) GTEST_SKIP() << "evaluate --mnist was not tested: there is no $CORNU_DATA/mnist";
  const std::string result = output(fmt::format("evaluate mnist.safetensors --mnist '{}/mnist'", data));
  const std::string accuracy = example.out.substr(example.out.find(": ") + 2, 6);
  EXPECT_NE(result.find("accuracy: " + accuracy + "\n"), std::string::npos) << result << example.out;
}
#endif

}  // namespace
}  // namespace cornu::tool
