#include "cornu/models/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "cornu/core/text/write_text.h"

namespace cornu::detail {

namespace {

constexpr Index bar_width = 20;
constexpr double interval = 0.05;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Text is concatenated from pieces short enough for std::string's small buffer, so a warm step allocates nothing.
// (fmt::format_to into a std::string would too, but instantiates all of fmt again in this library.)

void put_step_time(std::string& text, double seconds) {
  if (seconds >= 1 || seconds == 0) {
    text += fmt::format(" {:.0f}s/step", seconds);
  } else if (seconds >= 1e-3) {
    text += fmt::format(" {:.0f}ms/step", seconds * 1e3);
  } else {
    text += fmt::format(" {:.0f}us/step", seconds * 1e6);
  }
}

void put_time_left(std::string& text, double seconds) {
  const auto whole = static_cast<long long>(seconds);
  if (seconds > 3600) {
    text += fmt::format("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60);
  } else if (seconds > 60) {
    text += fmt::format("{}:{:02}", whole / 60, whole % 60);
  } else {
    text += fmt::format("{}s", whole);
  }
}

/// "  32/1875", padded so that the bar keeps its position.
void put_count(std::string& text, Index done, Index steps) {
  const std::string all = fmt::format("{}", steps);
  text += fmt::format("{:>{}}/", done, all.size());
  text += all;
}

/// "Epoch 1/20"
void put_epoch(std::string& text, Index epoch, Index epochs) {
  text += fmt::format("Epoch {}", epoch + 1);
  text += fmt::format("/{}", epochs);
}

void put_bars(std::string& text, Index count) {
  for (Index i = 0; i < count; ++i) text += "━";
}

}  // namespace

ProgressDisplay::ProgressDisplay(Verbose mode, Index epochs, Index steps, std::FILE* out, Clock clock)
    : mode_(mode), epochs_(epochs), steps_(std::max(steps, Index{1})), out_(out), clock_(std::move(clock)) {
  if (mode_ == Verbose::automatic) mode_ = detail::is_smart_terminal(out) ? Verbose::bar : Verbose::line;
  if (!clock_) clock_ = steady_seconds;
  text_.reserve(512);
  order_.reserve(16);
}

ProgressDisplay::~ProgressDisplay() {
  if (!bar_drawn_) return;
  text_ = "\n";  // no allocation: the bar's text was longer
  write();
}

void ProgressDisplay::epoch_begin(Index epoch, Index done) {
  if (mode_ == Verbose::silent) return;
  begin_ = clock_();
  drawn_ = -std::numeric_limits<double>::infinity();  // the first step is drawn at once
  done_ = done_before_ = done_first_ = done;
  bar_drawn_ = false;
  epoch_ = epoch;
  if (epochs_ <= 1 || mode_ != Verbose::bar) return;
  text_.clear();
  put_epoch(text_, epoch_, epochs_);
  text_ += '\n';
  write();
}

void ProgressDisplay::step(Index done, const Logs& logs) {
  if (mode_ == Verbose::silent) return;
  after_latest_ = clock_();
  done_ = done;
  if (done_first_ == done_before_) {
    done_first_ = done;
    after_first_ = after_latest_;
  }
  if (step_names_.size() != logs.size()) {
    step_names_.clear();
    for (const Logs::Entry& entry : logs) step_names_.push_back(entry.name);
  }
  if (mode_ != Verbose::bar || after_latest_ - drawn_ < interval) return;
  draw_bar(logs, false);
}

void ProgressDisplay::epoch_end(const Logs& logs) {
  if (mode_ == Verbose::bar) {
    draw_bar(logs, true);
  } else if (mode_ == Verbose::line) {
    text_.clear();
    if (epochs_ > 1) {
      put_epoch(text_, epoch_, epochs_);
      text_ += " - ";
    }
    put_count(text_, done_, steps_);
    text_ += fmt::format(" - {:.0f}s -", clock_() - begin_);
    put_step_time(text_, seconds_per_step(after_latest_));
    put_values(logs);
    text_ += '\n';
    write();
  }
  bar_drawn_ = false;
}

double ProgressDisplay::seconds_per_step(double now) const {
  if (done_ == done_before_) return 0;
  if (done_ == done_first_) return (now - begin_) / static_cast<double>(done_ - done_before_);
  return (now - after_first_) / static_cast<double>(done_ - done_first_);
}

void ProgressDisplay::put_values(const Logs& logs) {
  const auto rank = [&](const Logs::Entry& entry) {
    if (std::find(step_names_.begin(), step_names_.end(), entry.name) != step_names_.end()) return 0;
    return entry.name.starts_with("val_") ? 1 : 2;
  };
  order_.clear();
  for (const Logs::Entry& entry : logs) order_.push_back(&entry);
  std::sort(order_.begin(), order_.end(), [&](const Logs::Entry* a, const Logs::Entry* b) {
    return std::pair(rank(*a), std::string_view(a->name)) < std::pair(rank(*b), std::string_view(b->name));
  });
  for (const Logs::Entry* entry : order_) {
    text_ += " - ";
    text_ += entry->name;
    // The second form also applies to NaN.
    text_ +=
        std::abs(entry->value) > 1e-3 ? fmt::format(": {:.4f}", entry->value) : fmt::format(": {:.4e}", entry->value);
  }
}

void ProgressDisplay::draw_bar(const Logs& logs, bool last) {
  const double now = clock_();
  const double per_step = seconds_per_step(after_latest_);
  const Index full = std::clamp(bar_width * done_ / steps_, Index{0}, bar_width);
  text_.clear();
  text_ += "\r\x1b[K";             // clear the line
  if (!last) text_ += "\x1b[?7l";  // no wrapping: the first part of a wrapped line would remain on the screen
  text_ += "\x1b[1m";
  put_count(text_, done_, steps_);
  text_ += "\x1b[0m \x1b[32m";
  put_bars(text_, full);
  text_ += "\x1b[0m\x1b[37m";
  put_bars(text_, bar_width - full);
  text_ += "\x1b[0m \x1b[1m";
  if (last) {
    text_ += fmt::format("{:.0f}s", now - begin_);
  } else {
    put_time_left(text_, per_step * static_cast<double>(steps_ - done_));
  }
  text_ += "\x1b[0m";
  put_step_time(text_, per_step);
  put_values(logs);
  text_ += last ? "\n" : "\x1b[?7h";
  drawn_ = now;
  bar_drawn_ = true;
  write();
}

void ProgressDisplay::write() {
  if (!detail::write_text(out_, text_)) mode_ = Verbose::silent;
}

}  // namespace cornu::detail
