#include "cornu/models/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>

namespace cornu {
namespace {

/// What a display writes to a terminal of this type; empty if no terminal is available.
std::string shown_on(const char* kind) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) return "";
  std::FILE* const out = std::fopen(ptsname(terminal), "w");
  if (out == nullptr) return "";
  const char* const term = std::getenv("TERM");
  const std::string former = term == nullptr ? "" : term;
  setenv("TERM", kind, 1);
  {
    detail::ProgressDisplay display(Verbose::automatic, 1, 2, out, [] { return 0.0; });
    display.epoch_begin(0);
    display.step(1, {});
    display.epoch_end({});
  }
  char text[1000];
  const ssize_t count = read(terminal, text, sizeof text);
  term == nullptr ? unsetenv("TERM") : setenv("TERM", former.c_str(), 1);
  std::fclose(out);
  close(terminal);
  return {text, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

TEST(ProgressDisplay, IsABarOnATerminal) {
  const std::string text = shown_on("xterm");
  if (text.empty()) GTEST_SKIP() << "there are no terminals here";
  EXPECT_TRUE(text.starts_with("\r\x1b[K\x1b[?7l\x1b[1m1/2")) << text;
}

TEST(ProgressDisplay, IsALineOnADumbTerminal) {
  const std::string text = shown_on("dumb");
  if (text.empty()) GTEST_SKIP() << "there are no terminals here";
  EXPECT_EQ(text, "1/2 - 0s - 0s/step\r\n");
}

TEST(ProgressDisplay, SurvivesAClosedPipe) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::FILE* const out = fdopen(ends[1], "w");
  const auto former = std::signal(SIGPIPE, SIG_DFL);  // the default action would end this program
  for (const Verbose mode : {Verbose::line, Verbose::bar}) {
    detail::ProgressDisplay display(mode, 2, 2, out, [] { return 0.0; });
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
  EXPECT_EQ(sigismember(&blocked, SIGPIPE), 0) << "SIGPIPE is unblocked afterwards";
  std::signal(SIGPIPE, SIG_IGN);
  std::fclose(out);
  std::signal(SIGPIPE, former);
}

}  // namespace
}  // namespace cornu
