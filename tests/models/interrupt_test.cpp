#include "cornu/models/interrupt.h"

#include <gtest/gtest.h>

#include <barrier>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace cornu {
namespace {

int calls = 0;
void count_call(int) { ++calls; }

/// SIGINT is handled by `count_call`, however the tests were started.
class InterruptGuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    calls = 0;
    former_ = std::signal(SIGINT, count_call);
  }
  void TearDown() override { std::signal(SIGINT, former_); }

  /// The handler that is installed now.
  static void (*installed())(int) {
    struct sigaction action {};
    sigaction(SIGINT, nullptr, &action);
    return action.sa_handler;
  }

 private:
  void (*former_)(int) = SIG_DFL;
};

TEST_F(InterruptGuardTest, NotesASignalInsteadOfHandlingIt) {
  const InterruptGuard guard;
  EXPECT_FALSE(guard.interrupted());
  std::raise(SIGINT);
  EXPECT_TRUE(guard.interrupted());
  EXPECT_EQ(calls, 0);
}

TEST_F(InterruptGuardTest, PutsTheFormerHandlerBack) {
  {
    const InterruptGuard guard;
    EXPECT_NE(installed(), count_call);
  }
  EXPECT_EQ(installed(), count_call);
  std::raise(SIGINT);
  EXPECT_EQ(calls, 1);
}

TEST_F(InterruptGuardTest, LetsTheSecondSignalDoWhatItAlwaysDid) {
  {
    const InterruptGuard guard;
    std::raise(SIGINT);
    std::raise(SIGINT);
    EXPECT_EQ(calls, 1);
    std::raise(SIGINT);
    EXPECT_EQ(calls, 2);
  }
  EXPECT_EQ(installed(), count_call);
}

TEST_F(InterruptGuardTest, ForgetsASignalWithTheLastGuard) {
  {
    const InterruptGuard guard;
    std::raise(SIGINT);
  }
  const InterruptGuard guard;
  EXPECT_FALSE(guard.interrupted());
}

TEST_F(InterruptGuardTest, IsOneWithTheGuardsAroundIt) {
  auto outer = std::make_unique<InterruptGuard>();
  auto inner = std::make_unique<InterruptGuard>();
  std::raise(SIGINT);
  EXPECT_TRUE(inner->interrupted());
  EXPECT_TRUE(outer->interrupted());
  inner.reset();
  EXPECT_TRUE(outer->interrupted());
  EXPECT_NE(installed(), count_call);
  const InterruptGuard another;
  EXPECT_TRUE(another.interrupted()) << "it began while the run around it was already ending";
  outer.reset();
  EXPECT_NE(installed(), count_call) << "the order in which they go does not matter";
}

TEST_F(InterruptGuardTest, IsSeenByAllThreads) {
  constexpr int count = 4;
  std::barrier<> all_there(count), sent(count);
  std::vector<char> seen(count), seen_before(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      const InterruptGuard guard;
      seen_before[static_cast<std::size_t>(i)] = guard.interrupted();
      all_there.arrive_and_wait();
      if (i == 0) std::raise(SIGINT);
      sent.arrive_and_wait();
      seen[static_cast<std::size_t>(i)] = guard.interrupted();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen_before, std::vector<char>(count, 0));
  EXPECT_EQ(seen, std::vector<char>(count, 1));
  EXPECT_EQ(installed(), count_call);
}

TEST_F(InterruptGuardTest, LeavesSignalsIgnoredThatAre) {
  std::signal(SIGINT, SIG_IGN);
  {
    const InterruptGuard guard;
    std::raise(SIGINT);
    EXPECT_FALSE(guard.interrupted());
  }
  EXPECT_EQ(installed(), SIG_IGN);
}

TEST_F(InterruptGuardTest, LeavesAHandlerThatCameMeanwhile) {
  std::signal(SIGINT, SIG_DFL);
  {
    const InterruptGuard guard;
    std::signal(SIGINT, count_call);
  }
  EXPECT_EQ(installed(), count_call);
}

TEST(InterruptGuardDeathTest, EndsTheProgramAtTheSecondSignal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::signal(SIGINT, SIG_DFL);
        const InterruptGuard guard;
        std::raise(SIGINT);
        if (!guard.interrupted()) std::exit(1);
        std::raise(SIGINT);
        std::exit(2);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace cornu
