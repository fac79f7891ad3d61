#include "cornu/models/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace cornu {
namespace {

TEST(ProgressDisplay, IsABarOnATerminal) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) GTEST_SKIP() << "there are no terminals here";
  std::FILE* const out = std::fopen(ptsname(terminal), "w");
  if (out == nullptr) GTEST_SKIP() << "the terminal cannot be opened";
  {
    ProgressDisplay display(Verbose::automatic, 1, 2, out, [] { return 0.0; });
    display.epoch_begin(0);
    display.step(1, {});
    display.epoch_end({});
  }
  char text[1000];
  const ssize_t count = read(terminal, text, sizeof text);
  ASSERT_GT(count, 0);
  EXPECT_TRUE(std::string(text, static_cast<std::size_t>(count)).starts_with("\r\x1b[K\x1b[?7l\x1b[1m1/2"));
  std::fclose(out);
  close(terminal);
}

TEST(ProgressDisplay, OutlivesWhoeverReadsIt) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::FILE* const out = fdopen(ends[1], "w");
  const auto former = std::signal(SIGPIPE, SIG_DFL);  // which would end this program
  for (const Verbose mode : {Verbose::line, Verbose::bar}) {
    ProgressDisplay display(mode, 2, 2, out, [] { return 0.0; });
    display.epoch_begin(0);
    if (mode == Verbose::line) close(ends[0]);
    for (Index epoch = 0; epoch < 2; ++epoch) {
      if (epoch > 0) display.epoch_begin(epoch);
      display.step(1, {});
      display.step(2, {});
      display.epoch_end({});
    }
  }
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  EXPECT_EQ(sigismember(&blocked, SIGPIPE), 0) << "what was blocked is let through again";
  std::signal(SIGPIPE, SIG_IGN);
  std::fclose(out);
  std::signal(SIGPIPE, former);
}

}  // namespace
}  // namespace cornu
