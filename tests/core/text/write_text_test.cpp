#include "cornu/core/text/write_text.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

namespace cornu {
namespace {

using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

TEST(WriteText, ReturnsFalseIfTheReaderOrStreamIsClosed) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const File out(fdopen(ends[1], "w"), &std::fclose);
  EXPECT_TRUE(detail::write_text(out.get(), "text"));
  char text[5] = {};
  EXPECT_EQ(read(ends[0], text, 4), 4);
  EXPECT_STREQ(text, "text");
  const auto former = std::signal(SIGPIPE, SIG_DFL);  // the default action ends the program
  close(ends[0]);
  EXPECT_FALSE(detail::write_text(out.get(), "text")) << "the reader is closed";
  std::signal(SIGPIPE, former);
  close(ends[1]);
  EXPECT_FALSE(detail::write_text(out.get(), "text")) << "closed";
}

TEST(WriteText, ReturnsFalseIfTheDiskIsFull) {
  const File out(std::fopen("/dev/full", "w"), &std::fclose);
  if (!out) GTEST_SKIP() << "there is no /dev/full";
  EXPECT_FALSE(detail::write_text(out.get(), "text"));
}

TEST(SmartTerminal, IsATerminalWhoseTermIsNotDumb) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) GTEST_SKIP() << "there are no terminals here";
  const File out(std::fopen(ptsname(terminal), "w"), &std::fclose);
  if (!out) GTEST_SKIP() << "the terminal cannot be opened";
  const char* const term = std::getenv("TERM");
  const std::string former = term == nullptr ? "" : term;
  setenv("TERM", "dumb", 1);
  EXPECT_TRUE(detail::is_terminal(out.get()));
  EXPECT_FALSE(detail::is_smart_terminal(out.get()));
  setenv("TERM", "xterm", 1);
  EXPECT_TRUE(detail::is_smart_terminal(out.get()));
  term == nullptr ? unsetenv("TERM") : setenv("TERM", former.c_str(), 1);
  close(terminal);
  const File file(std::tmpfile(), &std::fclose);
  EXPECT_FALSE(detail::is_terminal(file.get()));
}

}  // namespace
}  // namespace cornu
