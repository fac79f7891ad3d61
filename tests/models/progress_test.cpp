#include "cornu/models/progress.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#ifdef __unix__
#include <fcntl.h>
#include <unistd.h>
#endif

#include "cornu/tests/support/allocation_counter.h"

namespace cornu {
namespace {

/// A file that can be read while it is written, and a time that stands still.
struct Screen {
  std::FILE* file = std::tmpfile();
  double time = 1000;

  Screen() = default;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() { std::fclose(file); }

  ProgressDisplay::Clock clock() {
    return [this] { return time; };
  }
  /// All that was written and flushed since the last call.
  std::string text() {
    std::string result(1000000, ' ');
    const ssize_t count = pread(fileno(file), result.data(), result.size(), static_cast<off_t>(seen_));
    EXPECT_GE(count, 0);
    seen_ += static_cast<std::size_t>(count);
    result.resize(static_cast<std::size_t>(count));
    return result;
  }

 private:
  std::size_t seen_ = 0;
};

Logs logs_of(std::initializer_list<Logs::Entry> entries) {
  Logs logs;
  for (const Logs::Entry& entry : entries) logs.set(entry.name, entry.value);
  return logs;
}

/// What remains of a drawing without colours and cursor movements.
std::string plain(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (!std::isalpha(static_cast<unsigned char>(text[i]))) ++i;
    } else if (text[i] != '\r') {
      result += text[i];
    }
  }
  return result;
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

// ---- A line an epoch ----

TEST(ProgressLine, IsOnePlainLineAnEpochUnderTheEpochsName) {
  Screen screen;
  ProgressDisplay display(Verbose::line, 2, 1875, screen.file, screen.clock());
  display.epoch_begin(0);
  EXPECT_EQ(screen.text(), "Epoch 1/2\n") << "at once, so that one sees it run";
  for (Index step = 1; step <= 1875; ++step) {
    screen.time += 0.002;
    display.step(step, logs_of({{"loss", 0.9}, {"accuracy", 0.1}}));
  }
  EXPECT_EQ(screen.text(), "");
  display.epoch_end(logs_of({{"loss", 0.41084}, {"accuracy", 0.88013}}));
  EXPECT_EQ(screen.text(), "1875/1875 - 4s - 2ms/step - accuracy: 0.8801 - loss: 0.4108\n");
  display.epoch_begin(1);
  EXPECT_EQ(screen.text(), "Epoch 2/2\n");
}

TEST(ProgressLine, NamesNoEpochWhereThereIsOne) {
  Screen screen;
  ProgressDisplay display(Verbose::line, 1, 1, screen.file, screen.clock());
  display.epoch_begin(0);
  EXPECT_EQ(screen.text(), "");
  screen.time += 0.25;
  display.step(1, logs_of({{"loss", 2}}));
  display.epoch_end(logs_of({{"loss", 2}}));
  EXPECT_EQ(screen.text(), "1/1 - 0s - 250ms/step - loss: 2.0000\n");
}

TEST(ProgressLine, IsWhatAFileGetsByItself) {
  Screen screen;
  ProgressDisplay display(Verbose::automatic, 1, 1, screen.file, screen.clock());
  display.epoch_begin(0);
  display.step(1, logs_of({{"loss", 2}}));
  display.epoch_end(logs_of({{"loss", 2}}));
  EXPECT_EQ(screen.text(), "1/1 - 0s - 0s/step - loss: 2.0000\n");
}

TEST(ProgressLine, PutsValidationAfterTrainingAndWhatCallbacksAddedLast) {
  Screen screen;
  ProgressDisplay display(Verbose::line, 1, 1, screen.file, screen.clock());
  display.epoch_begin(0);
  display.step(1, logs_of({{"loss", 1}, {"accuracy", 1}}));
  display.epoch_end(
      logs_of({{"loss", 1}, {"accuracy", 1}, {"val_loss", 1}, {"val_accuracy", 1}, {"learning_rate", 1}, {"beta", 1}}));
  EXPECT_EQ(screen.text(),
            "1/1 - 0s - 0s/step - accuracy: 1.0000 - loss: 1.0000 - val_accuracy: 1.0000 - val_loss: 1.0000 - beta: "
            "1.0000 - learning_rate: 1.0000\n");
}

TEST(ProgressLine, WritesSmallNumbersWithAnExponent) {
  Screen screen;
  ProgressDisplay display(Verbose::line, 1, 1, screen.file, screen.clock());
  display.epoch_begin(0);
  const Logs logs = logs_of({{"a", 0.001},
                             {"b", 0.0010001},
                             {"c", -0.5},
                             {"d", 0},
                             {"e", -2.5e-7},
                             {"f", std::numeric_limits<double>::quiet_NaN()},
                             {"g", std::numeric_limits<double>::infinity()},
                             {"h", 12345.67891}});
  display.step(1, logs);
  display.epoch_end(logs);
  EXPECT_EQ(screen.text(),
            "1/1 - 0s - 0s/step - a: 1.0000e-03 - b: 0.0010 - c: -0.5000 - d: 0.0000e+00 - e: -2.5000e-07 - f: nan - "
            "g: inf - h: 12345.6789\n");
}

TEST(ProgressLine, GivesTheTimeOfAStepWithoutTheFirstOneAndWithoutTheValidation) {
  for (const auto& [seconds, expected] :
       {std::pair{90.0, "90s"}, {1.0, "1s"}, {0.25, "250ms"}, {0.001, "1ms"}, {2.5e-5, "25us"}}) {
    Screen screen;
    screen.time = 0;
    ProgressDisplay display(Verbose::line, 1, 3, screen.file, screen.clock());
    display.epoch_begin(0);
    screen.time += 100;  // the first one warms up
    display.step(1, {});
    screen.time += seconds;
    display.step(2, {});
    screen.time += seconds;
    display.step(3, {});
    screen.time += 1000;  // the validation
    display.epoch_end({});
    const std::string text = screen.text();
    EXPECT_NE(text.find("s - " + std::string(expected) + "/step\n"), std::string::npos) << text;
    EXPECT_TRUE(text.starts_with(seconds == 90  ? "3/3 - 1280s -"
                                 : seconds == 1 ? "3/3 - 1102s -"
                                                : "3/3 - 1100s -"))
        << text;
  }
}

TEST(ProgressLine, SaysHowFarAnEpochThatWasCutShortCame) {
  Screen screen;
  ProgressDisplay display(Verbose::line, 1, 100, screen.file, screen.clock());
  display.epoch_begin(0);
  display.step(1, {});
  display.step(2, {});
  display.epoch_end({});
  EXPECT_EQ(screen.text(), "  2/100 - 0s - 0s/step\n");
}

TEST(ProgressDisplay, SaysNothingWhenSilent) {
  Screen screen;
  {
    ProgressDisplay display(Verbose::silent, 3, 1, screen.file, screen.clock());
    display.epoch_begin(0);
    display.step(1, logs_of({{"loss", 1}}));
    display.epoch_end(logs_of({{"loss", 1}}));
  }
  EXPECT_EQ(screen.text(), "");
}

// ---- The bar ----

TEST(ProgressBar, IsDrawnOverItselfAndEndsInALine) {
  Screen screen;
  ProgressDisplay display(Verbose::bar, 5, 10, screen.file, screen.clock());
  display.epoch_begin(2);
  EXPECT_EQ(screen.text(), "Epoch 3/5\n");
  screen.time += 3;
  display.step(1, logs_of({{"loss", 0.5}}));
  EXPECT_EQ(screen.text(),
            "\r\x1b[K\x1b[?7l"                                     // over the last
            "\x1b[1m 1/10\x1b[0m "                                 // the count
            "\x1b[32m━━\x1b[0m\x1b[37m━━━━━━━━━━━━━━━━━━\x1b[0m "  // green, and what is to come
            "\x1b[1m27s\x1b[0m 3s/step - loss: 0.5000\x1b[?7h");
  for (Index step = 2; step <= 10; ++step) {
    screen.time += 1;
    display.step(step, logs_of({{"loss", 0.25}}));
  }
  screen.text();
  display.epoch_end(logs_of({{"loss", 0.125}, {"val_loss", 0.75}}));
  EXPECT_EQ(screen.text(),
            "\r\x1b[K"
            "\x1b[1m10/10\x1b[0m "
            "\x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m\x1b[37m\x1b[0m "
            "\x1b[1m12s\x1b[0m 1s/step - loss: 0.1250 - val_loss: 0.7500\n");
}

TEST(ProgressBar, IsDrawnAtMostEvery50Milliseconds) {
  Screen screen;
  screen.time = 0;
  ProgressDisplay display(Verbose::bar, 1, 1000, screen.file, screen.clock());
  display.epoch_begin(0);
  std::vector<Index> drawn;
  for (Index step = 1; step <= 1000; ++step) {
    screen.time = static_cast<double>(step) / 64;  // so that sums of times are exact
    display.step(step, {});
    if (!screen.text().empty()) drawn.push_back(step);
  }
  ASSERT_EQ(drawn.size(), 250u);  // 4 / 64 is the first multiple above 0.05
  for (std::size_t i = 0; i < drawn.size(); ++i) EXPECT_EQ(drawn[i], static_cast<Index>(4 * i + 1));
  display.epoch_end({});
  EXPECT_EQ(plain(screen.text()), "1000/1000 " + repeated("━", 20) + " 16s 16ms/step\n") << "the end always is";
}

TEST(ProgressBar, TellsTheTimeThatIsLeft) {
  for (const auto& [seconds, expected] : {std::pair{0.0, "0s"},
                                          {0.5, "4s"},
                                          {6.0, "54s"},
                                          {7.0, "1:03"},
                                          {399.0, "59:51"},
                                          {500.0, "1:15:00"},
                                          {100000.0, "250:00:00"}}) {
    Screen screen;
    screen.time = 0;
    ProgressDisplay display(Verbose::bar, 1, 10, screen.file, screen.clock());
    display.epoch_begin(0);
    screen.time += seconds;
    display.step(1, {});
    const std::string text = plain(screen.text());
    EXPECT_TRUE(text.starts_with(" 1/10 " + repeated("━", 20) + " " + expected + " ")) << text;
    display.epoch_end({});
  }
}

TEST(ProgressBar, FillsInProportionToTheSteps) {
  Screen screen;
  ProgressDisplay display(Verbose::bar, 1, 3, screen.file, screen.clock());
  display.epoch_begin(0);
  const int full[] = {6, 13, 20};
  for (Index step = 1; step <= 3; ++step) {
    screen.time += 1;
    display.step(step, {});
    const int n = full[step - 1];
    const std::string expected = "\x1b[32m" + repeated("━", n) + "\x1b[0m\x1b[37m" + repeated("━", 20 - n) + "\x1b[0m ";
    EXPECT_NE(screen.text().find(expected), std::string::npos) << step;
  }
  display.epoch_end({});
}

TEST(ProgressBar, KeepsAllValuesSortedByName) {
  Screen screen;
  ProgressDisplay display(Verbose::bar, 1, 2, screen.file, screen.clock());
  display.epoch_begin(0);
  display.step(1, logs_of({{"loss", 1}, {"top_k_accuracy", 0.5}, {"accuracy", 0.25}}));
  EXPECT_TRUE(plain(screen.text()).ends_with(" - accuracy: 0.2500 - loss: 1.0000 - top_k_accuracy: 0.5000"));
  display.epoch_end({});
}

TEST(ProgressBar, EndsItsLineWhenAnErrorCutsItShort) {
  Screen screen;
  {
    ProgressDisplay display(Verbose::bar, 1, 2, screen.file, screen.clock());
    display.epoch_begin(0);
    display.step(1, {});
    EXPECT_FALSE(screen.text().ends_with("\n"));
  }
  EXPECT_EQ(screen.text(), "\n");
  {
    ProgressDisplay display(Verbose::bar, 1, 2, screen.file, screen.clock());
    display.epoch_begin(0);
    display.step(1, {});
    display.epoch_end({});
    screen.text();
  }
  EXPECT_EQ(screen.text(), "") << "it has ended already";
}

TEST(ProgressBar, AllocatesNothingOnceWarm) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  Screen screen;
  const Logs logs = logs_of({{"loss", 1}, {"accuracy", 0.5}});
  for (const Verbose mode : {Verbose::bar, Verbose::line}) {
    ProgressDisplay display(mode, 2, 100, screen.file, screen.clock());
    display.epoch_begin(0);
    display.step(1, logs);
    const testing::AllocationCounter counter;
    for (Index step = 2; step <= 100; ++step) {
      screen.time += 1;
      display.step(step, logs);
    }
    display.epoch_end(logs);
    display.epoch_begin(1);
    display.step(1, logs);
    EXPECT_EQ(counter.count(), 0);
    display.epoch_end(logs);
  }
}

#ifdef __unix__

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

#endif

}  // namespace
}  // namespace cornu
