#include "cornu/models/interrupt.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>

#if defined(__unix__) || defined(__APPLE__)
#define CORNU_POSIX_SIGNALS
#endif

namespace cornu::detail {

namespace {

// The handler's variables must be lock-free: a signal may arrive at any point.
std::atomic<bool> pressed = false;
std::atomic<int> calls = 0;  // of the program's own handlers that have not returned yet
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

std::mutex mutex;  // guards `guards`, install and restore
int guards = 0;

#ifdef CORNU_POSIX_SIGNALS

struct sigaction former;   // the action to restore; constant while our handler is installed
struct sigaction earlier;  // the `former` of the previous installation

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
    sigaction(signal, &former, nullptr);  // takes effect when this handler returns
    ::raise(signal);
  }
  // A handler installed over ours may have saved it and call it; it then expects the action that ours replaced.
  const int depth = calls++;
  if (depth < 2) call(depth <= 0 ? former : earlier, signal, info, context);
  --calls;
  errno = error;
}

void install() {
  struct sigaction current {};
  sigaction(SIGINT, nullptr, &current);
  if (is_simple(current, SIG_IGN) || is_installed(current)) return;  // installed: the program restored it itself
  calls = 0;
  earlier = former;
  former = current;
  struct sigaction action {};
  action.sa_sigaction = note;
  if (is_default(former)) {
    action.sa_flags = SA_SIGINFO | SA_RESTART;  // the program's system calls must not fail with EINTR
    sigemptyset(&action.sa_mask);
  } else {  // keep the flags of the program's handler
    constexpr int kept = SA_RESTART | SA_ONSTACK | SA_NODEFER | static_cast<int>(SA_RESETHAND);
    action.sa_flags = SA_SIGINFO | (former.sa_flags & kept);
    action.sa_mask = former.sa_mask;
  }
  sigaction(SIGINT, &action, nullptr);
}

void restore() {
  struct sigaction current {};
  sigaction(SIGINT, nullptr, &current);
  // A handler that was installed in the meantime stays.
  if (!is_installed(current)) return;
  sigaction(SIGINT, &former, nullptr);
  former = earlier;  // in case `former` calls our handler
}

#else

void (*former)(int) = SIG_DFL;

void note(int signal) {  // the system has restored the default action, which handles the second Ctrl-C
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

}  // namespace cornu::detail
