#include "cornu/models/interrupt.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <barrier>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace cornu {
namespace {

int handler_calls = 0;
void count_call(int) { ++handler_calls; }

/// SIGINT is handled by `count_call`, even if the tests were started with another disposition.
class InterruptGuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    handler_calls = 0;
    former_ = std::signal(SIGINT, count_call);
  }
  void TearDown() override { std::signal(SIGINT, former_); }

  /// The currently installed handler.
  static void (*installed())(int) {
    struct sigaction action {};
    sigaction(SIGINT, nullptr, &action);
    return action.sa_handler;
  }

 private:
  void (*former_)(int) = SIG_DFL;
};

TEST_F(InterruptGuardTest, RecordsASignalAndCallsTheProgramsHandlerEveryTime) {
  const detail::InterruptGuard guard;
  EXPECT_FALSE(guard.interrupted());
  for (int i = 1; i <= 3; ++i) {
    std::raise(SIGINT);
    EXPECT_TRUE(guard.interrupted());
    EXPECT_EQ(handler_calls, i);
  }
}

TEST_F(InterruptGuardTest, RecordsASignalInsteadOfEndingTheProgram) {
  std::signal(SIGINT, SIG_DFL);
  const detail::InterruptGuard guard;
  std::raise(SIGINT);
  EXPECT_TRUE(guard.interrupted());
}

TEST_F(InterruptGuardTest, RestoresThePreviousHandler) {
  {
    const detail::InterruptGuard guard;
    EXPECT_NE(installed(), count_call);
  }
  EXPECT_EQ(installed(), count_call);
  std::raise(SIGINT);
  EXPECT_EQ(handler_calls, 1);
}

/// The arguments with which a handler with SA_SIGINFO was called.
int last_code = 0, last_blocked = 0;
void* seen_context = nullptr;
void note_details(int signal, siginfo_t* info, void* context) {
  ++handler_calls;
  last_code = info->si_signo == signal ? info->si_code : -1;
  seen_context = context;
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  last_blocked = sigismember(&mask, SIGUSR1);
}

TEST_F(InterruptGuardTest, CallsAHandlerAsTheSystemWould) {
  struct sigaction action {};
  action.sa_sigaction = note_details;
  action.sa_flags = SA_SIGINFO;  // without SA_RESTART: the program's system calls should be interrupted
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGUSR1);
  sigaction(SIGINT, &action, nullptr);
  {
    const detail::InterruptGuard guard;
    struct sigaction ours {};
    sigaction(SIGINT, nullptr, &ours);
    EXPECT_EQ(ours.sa_flags & SA_RESTART, 0);
    kill(getpid(), SIGINT);
    EXPECT_EQ(handler_calls, 1);
    EXPECT_EQ(last_code, SI_USER);
    EXPECT_NE(seen_context, nullptr);
    EXPECT_EQ(last_blocked, 1);
    EXPECT_TRUE(guard.interrupted());
  }
  struct sigaction now {};
  sigaction(SIGINT, nullptr, &now);
  EXPECT_EQ(now.sa_sigaction, note_details);
  EXPECT_EQ(now.sa_flags & SA_SIGINFO, SA_SIGINFO);
  EXPECT_EQ(sigismember(&now.sa_mask, SIGUSR1), 1);
}

TEST_F(InterruptGuardTest, AHandlerForOneSignalIsCalledOnce) {
  struct sigaction action {};
  action.sa_handler = count_call;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  const detail::InterruptGuard guard;
  std::raise(SIGINT);
  EXPECT_EQ(handler_calls, 1);
  EXPECT_TRUE(guard.interrupted());
  EXPECT_EQ(installed(), SIG_DFL) << "the second one ends the program";
}

/// A handler that the program installs during a run, and that calls the previous one.
void (*former_handler)(int, siginfo_t*, void*) = nullptr;
void call_before(int signal, siginfo_t* info, void* context) {
  ++handler_calls;
  former_handler(signal, info, context);
}

void install_call_before() {
  struct sigaction ours {};
  sigaction(SIGINT, nullptr, &ours);
  former_handler = ours.sa_sigaction;
  struct sigaction theirs {};
  theirs.sa_sigaction = call_before;
  theirs.sa_flags = SA_SIGINFO;
  sigemptyset(&theirs.sa_mask);
  sigaction(SIGINT, &theirs, nullptr);
}

TEST_F(InterruptGuardTest, HandlersThatCallEachOtherDoNotLoop) {
  {
    const detail::InterruptGuard guard;
    install_call_before();
    std::raise(SIGINT);
    EXPECT_TRUE(guard.interrupted());
    EXPECT_EQ(handler_calls, 2) << "both of the program's handlers";
  }
  std::raise(SIGINT);
  EXPECT_EQ(handler_calls, 4) << "their handler stays after the run, and still calls the first one through ours";
  const detail::InterruptGuard again;
  std::raise(SIGINT);
  EXPECT_TRUE(again.interrupted());
  EXPECT_EQ(handler_calls, 6);
}

TEST_F(InterruptGuardTest, AHandlerThatCallsOursDecidesWhetherTheProgramEnds) {
  std::signal(SIGINT, SIG_DFL);
  const auto raise_through = [&] {
    std::raise(SIGINT);
    std::raise(SIGINT);
    std::raise(SIGINT);
  };
  {
    const detail::InterruptGuard guard;
    install_call_before();
    raise_through();
    EXPECT_TRUE(guard.interrupted());
  }
  raise_through();
  EXPECT_EQ(handler_calls, 6) << "the program continues";
}

TEST_F(InterruptGuardTest, ForgetsASignalWithTheLastGuard) {
  {
    const detail::InterruptGuard guard;
    std::raise(SIGINT);
  }
  const detail::InterruptGuard guard;
  EXPECT_FALSE(guard.interrupted());
}

TEST_F(InterruptGuardTest, SharesTheSignalWithOuterGuards) {
  auto outer = std::make_unique<detail::InterruptGuard>();
  auto inner = std::make_unique<detail::InterruptGuard>();
  std::raise(SIGINT);
  EXPECT_TRUE(inner->interrupted());
  EXPECT_TRUE(outer->interrupted());
  inner.reset();
  EXPECT_TRUE(outer->interrupted());
  EXPECT_NE(installed(), count_call);
  const detail::InterruptGuard another;
  EXPECT_TRUE(another.interrupted()) << "the outer run is already ending";
  outer.reset();
  EXPECT_NE(installed(), count_call) << "guards may be destroyed in any order";
}

TEST_F(InterruptGuardTest, IsSeenByAllThreads) {
  constexpr int count = 4;
  std::barrier<> all_there(count), sent(count);
  std::vector<char> seen(count), seen_before(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      const detail::InterruptGuard guard;
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

TEST_F(InterruptGuardTest, LeavesAnIgnoredSignalIgnored) {
  std::signal(SIGINT, SIG_IGN);
  {
    const detail::InterruptGuard guard;
    std::raise(SIGINT);
    EXPECT_FALSE(guard.interrupted());
  }
  EXPECT_EQ(installed(), SIG_IGN);
}

TEST_F(InterruptGuardTest, LeavesAHandlerInstalledInTheMeantime) {
  std::signal(SIGINT, SIG_DFL);
  {
    const detail::InterruptGuard guard;
    std::signal(SIGINT, count_call);
  }
  EXPECT_EQ(installed(), count_call);
}

TEST(InterruptGuardDeathTest, EndsTheProgramAtTheSecondSignal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::signal(SIGINT, SIG_DFL);
        const detail::InterruptGuard guard;
        std::raise(SIGINT);
        if (!guard.interrupted()) std::exit(1);
        std::raise(SIGINT);
        std::exit(2);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace cornu
