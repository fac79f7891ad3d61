#include "cornu/models/progress.h"

#include <gtest/gtest.h>

#include <cctype>
#include <utility>
#include <vector>

#include "cornu/tests/models/screen.h"
#include "cornu/tests/support/allocation_counter.h"

namespace cornu {
namespace {

using testing::logs_of;
using testing::Screen;

/// A drawing without colours and cursor movements.
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

TEST(ProgressBar, IsRedrawnInPlaceAndEndsWithANewline) {
  Screen screen;
  detail::ProgressDisplay display(Verbose::bar, 5, 10, screen.file, screen.clock());
  display.epoch_begin(2);
  EXPECT_EQ(screen.text(), "Epoch 3/5\n");
  screen.time += 3;
  display.step(1, logs_of({{"loss", 0.5}}));
  EXPECT_EQ(screen.text(),
            "\r\x1b[K\x1b[?7l"                                     // replaces the last one
            "\x1b[1m 1/10\x1b[0m "                                 // the count
            "\x1b[32m━━\x1b[0m\x1b[37m━━━━━━━━━━━━━━━━━━\x1b[0m "  // green, then the remaining part
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
  detail::ProgressDisplay display(Verbose::bar, 1, 1000, screen.file, screen.clock());
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
  EXPECT_EQ(plain(screen.text()), "1000/1000 " + repeated("━", 20) + " 16s 16ms/step\n") << "the end is always drawn";
}

TEST(ProgressBar, ShowsTheTimeRemaining) {
  for (const auto& [seconds, expected] : {std::pair{0.0, "0s"},
                                          {0.5, "4s"},
                                          {6.0, "54s"},
                                          {7.0, "1:03"},
                                          {399.0, "59:51"},
                                          {500.0, "1:15:00"},
                                          {100000.0, "250:00:00"}}) {
    Screen screen;
    screen.time = 0;
    detail::ProgressDisplay display(Verbose::bar, 1, 10, screen.file, screen.clock());
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
  detail::ProgressDisplay display(Verbose::bar, 1, 3, screen.file, screen.clock());
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

TEST(ProgressBar, ShowsAllValuesSortedByName) {
  Screen screen;
  detail::ProgressDisplay display(Verbose::bar, 1, 2, screen.file, screen.clock());
  display.epoch_begin(0);
  display.step(1, logs_of({{"loss", 1}, {"top_k_accuracy", 0.5}, {"accuracy", 0.25}}));
  EXPECT_TRUE(plain(screen.text()).ends_with(" - accuracy: 0.2500 - loss: 1.0000 - top_k_accuracy: 0.5000"));
  display.epoch_end({});
}

TEST(ProgressBar, EndsItsLineAfterAnError) {
  Screen screen;
  {
    detail::ProgressDisplay display(Verbose::bar, 1, 2, screen.file, screen.clock());
    display.epoch_begin(0);
    display.step(1, {});
    EXPECT_FALSE(screen.text().ends_with("\n"));
  }
  EXPECT_EQ(screen.text(), "\n");
  {
    detail::ProgressDisplay display(Verbose::bar, 1, 2, screen.file, screen.clock());
    display.epoch_begin(0);
    display.step(1, {});
    display.epoch_end({});
    screen.text();
  }
  EXPECT_EQ(screen.text(), "") << "the bar has ended already";
}

TEST(ProgressBar, AllocatesNothingOnceWarm) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  Screen screen;
  const Logs logs = logs_of({{"loss", 1}, {"accuracy", 0.5}});
  for (const Verbose mode : {Verbose::bar, Verbose::line}) {
    detail::ProgressDisplay display(mode, 2, 100, screen.file, screen.clock());
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

}  // namespace
}  // namespace cornu
