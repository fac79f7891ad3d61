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
static_assert(std::atomic<bool>::is_always_lock_free);

std::mutex mutex;  // guards `guards`, and who installs or restores
int guards = 0;

#ifdef CORNU_POSIX_SIGNALS

struct sigaction former;  // not changed while the handler is installed

void note(int signal) {
  if (!pressed.exchange(true)) return;
  // The second time: what would have happened without us happens as soon as this handler returns.
  const int error = errno;
  sigaction(signal, &former, nullptr);
  raise(signal);
  errno = error;
}

bool is_installed(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == note;
}

void install() {
  sigaction(SIGINT, nullptr, &former);
  if ((former.sa_flags & SA_SIGINFO) == 0 && former.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;  // no read or write of the program's shall fail because of it
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

void restore() {
  struct sigaction current {};
  sigaction(SIGINT, nullptr, &current);
  // Whoever put a handler of their own there meanwhile keeps it.
  if (is_installed(current)) sigaction(SIGINT, &former, nullptr);
}

#else

void (*former)(int) = SIG_DFL;

void note(int) { pressed = true; }  // the system has already put back the default for the second time

void install() {
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
