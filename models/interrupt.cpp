#include "cornu/models/interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>

#if defined(__unix__) || defined(__APPLE__)
#define CORNU_POSIX_SIGNALS
#endif

namespace cornu {

namespace {

// What the handler touches must be lock-free: it may run in the middle of anything.
std::atomic<bool> pressed = false;
std::atomic<int> calls = 0;  // of the program's own handlers, that have not returned
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

std::mutex mutex;  // guards `guards`, and who installs or restores
int guards = 0;

#ifdef CORNU_POSIX_SIGNALS

struct sigaction former;   // what is restored; not changed while the handler is installed
struct sigaction earlier;  // what was restored before

bool is_simple(const struct sigaction& action, void (*handler)(int)) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == handler;
}
bool is_default(const struct sigaction& action) { return is_simple(action, SIG_DFL); }

void call(const struct sigaction& action, int signal, siginfo_t* info, void* context) {
  if (is_default(action) || is_simple(action, SIG_IGN)) return;
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signal, info, context);
  } else {
    action.sa_handler(signal);
  }
}

void note(int signal, siginfo_t* info, void* context);

bool is_installed(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == note;
}

void note(int signal, siginfo_t* info, void* context) {
  const bool second = pressed.exchange(true);
  const int error = errno;
  struct sigaction current {};
  sigaction(signal, nullptr, &current);
  if (is_default(former) && second && is_installed(current)) {
    sigaction(signal, &former, nullptr);  // which acts as soon as this handler returns
    raise(signal);
  }
  // A handler that was installed while this one was, and calls it in turn, means the one from before.
  const int depth = calls++;
  if (depth < 2) call(depth <= 0 ? former : earlier, signal, info, context);
  --calls;
  errno = error;
}

void install() {
  struct sigaction current {};
  sigaction(SIGINT, nullptr, &current);
  if (is_simple(current, SIG_IGN) || is_installed(current)) return;  // installed: the program has put it back
  calls = 0;
  earlier = former;
  former = current;
  struct sigaction action {};
  action.sa_sigaction = note;
  if (is_default(former)) {
    action.sa_flags = SA_SIGINFO | SA_RESTART;  // no system call of the program's shall fail because of it
    sigemptyset(&action.sa_mask);
  } else {  // the system treats the program and its handler as it would without us
    constexpr int kept = SA_RESTART | SA_ONSTACK | SA_NODEFER | static_cast<int>(SA_RESETHAND);
    action.sa_flags = SA_SIGINFO | (former.sa_flags & kept);
    action.sa_mask = former.sa_mask;
  }
  sigaction(SIGINT, &action, nullptr);
}

void restore() {
  struct sigaction current {};
  sigaction(SIGINT, nullptr, &current);
  // Whoever put a handler of their own there meanwhile keeps it.
  if (!is_installed(current)) return;
  sigaction(SIGINT, &former, nullptr);
  former = earlier;  // for `former` if it calls this handler
}

#else

void (*former)(int) = SIG_DFL;

void note(int signal) {  // the system has already put back the default for the second time
  pressed = true;
  if (former == SIG_DFL || former == SIG_IGN || former == SIG_ERR) return;
  std::signal(signal, note);
  if (calls++ == 0) former(signal);
  --calls;
}

void install() {
  calls = 0;
  former = std::signal(SIGINT, note);
  if (former == SIG_IGN) std::signal(SIGINT, SIG_IGN);
}

void restore() { std::signal(SIGINT, former == SIG_ERR ? SIG_DFL : former); }

#endif

}  // namespace

InterruptGuard::InterruptGuard() {
  const std::lock_guard lock(mutex);
  if (guards++ > 0) return;
  pressed = false;
  install();
}

InterruptGuard::~InterruptGuard() {
  const std::lock_guard lock(mutex);
  if (--guards == 0) restore();
}

bool InterruptGuard::interrupted() const { return pressed.load(std::memory_order_relaxed); }

}  // namespace cornu
