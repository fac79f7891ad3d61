#include "cornu/models/callbacks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <string_view>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/models/sequential.h"

namespace cornu {

// ---- EarlyStopping ----

namespace {

bool is_to_grow(const EarlyStopping& stopping) {
  if (stopping.mode != EarlyStopping::automatic) return stopping.mode == EarlyStopping::max;
  constexpr std::array<std::string_view, 5> growing{"acc", "auc", "precision", "recall", "f1"};
  return std::any_of(growing.begin(), growing.end(),
                     [&](std::string_view part) { return stopping.monitor.find(part) != std::string::npos; });
}

/// What is monitored, null in an epoch that has none for a good reason.
const double* monitored(const EarlyStopping& stopping, const Run& run, Index epoch, const Logs& logs) {
  const double* value = logs.find(stopping.monitor);
  if (value != nullptr || run.stop_training) return value;
  const bool of_validation = stopping.monitor.starts_with("val_");
  if (of_validation && run.validation_freq > 1 && (epoch + 1) % run.validation_freq != 0) return nullptr;
  throw ValueError(message(
      "EarlyStopping: there is no \"{}\" to monitor; there are: {}{}", stopping.monitor, logs.names(),
      of_validation && run.validation_freq == 0 ? " (fit was given neither validation_data nor validation_split)"
                                                : ""));
}

}  // namespace

void EarlyStopping::on_train_begin(Run&, Logs&) {
  stopped_epoch = best_epoch = wait = 0;
  best = is_to_grow(*this) ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  best_weights.clear();
}

void EarlyStopping::on_epoch_end(Run& run, Index epoch, Logs& logs) {
  const double* value = monitored(*this, run, epoch, logs);
  if (value == nullptr || epoch < start_from_epoch) return;
  // Whatever the first epoch brings, even a NaN, it is the best so far.
  if (restore_best_weights && best_weights.empty()) {
    best_weights = run.model.get_weights();
    best_epoch = epoch;
  }
  const auto improves = [&](double reference) {
    return is_to_grow(*this) ? *value - std::abs(min_delta) > reference : *value + std::abs(min_delta) < reference;
  };
  ++wait;
  if (improves(best)) {
    best = *value;
    best_epoch = epoch;
    if (restore_best_weights) best_weights = run.model.get_weights();
    if (!baseline || improves(*baseline)) wait = 0;
  } else if (wait >= patience && epoch > 0) {
    stopped_epoch = epoch;
    run.stop_training = true;
  }
}

void EarlyStopping::on_train_end(Run& run, Logs&) {
  if (!best_weights.empty()) run.model.set_weights(best_weights);
}

// ---- TerminateOnNaN ----

void TerminateOnNaN::on_train_begin(Run& run, Logs&) { run.throw_on_non_finite = false; }

void TerminateOnNaN::on_train_batch_end(Run& run, Index, Logs& logs) {
  const double* loss = logs.find("loss");
  if (loss != nullptr && !std::isfinite(*loss)) run.stop_training = true;
}

// ---- CSVLogger ----

namespace {

/// As a CSV file has it: quoted where it would be taken apart otherwise.
std::string cell(const std::string& text, char separator) {
  if (text.find_first_of(std::string("\"\r\n") + separator) == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

/// The file is opened for each row, so that the logger holds nothing open and what it wrote is there for others.
void write(const CSVLogger& logger, std::ios::openmode mode, const std::string& text) {
  errno = 0;
  std::ofstream file(logger.filename, mode | std::ios::binary);
  file << text;
  file.close();
  if (file) return;
  throw FileError(message("{}: cannot be written ({})", logger.filename, std::generic_category().message(errno)));
}

std::string first_line(const std::string& filename) {
  std::ifstream file(filename);
  std::string line;
  std::getline(file, line);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

/// Whether the last line lacks its end, as a run leaves it that is killed or finds the disk full.
bool ends_in_a_line(const std::string& filename) {
  std::ifstream file(filename, std::ios::binary);
  return file.seekg(-1, std::ios::end) && file.get() != '\n';
}

void find_columns(CSVLogger& logger, const Run& run, const Logs& logs) {
  for (const Logs::Entry& entry : logs) logger.columns.push_back(entry.name);
  if (run.validation_freq > 0) {  // which may not have been this time
    for (const std::string& name : run.metrics) {
      if (logs.find("val_" + name) == nullptr) logger.columns.push_back("val_" + name);
    }
  }
  std::sort(logger.columns.begin(), logger.columns.end());
  std::string line = "epoch";
  for (const std::string& name : logger.columns) line += logger.separator + cell(name, logger.separator);
  require<FormatError>(logger.header.empty() || logger.header == line,
                       "{}: has the columns {}; {} cannot be appended to them", logger.filename, logger.header, line);
  if (logger.header.empty()) write(logger, std::ios::app, line + "\n");
}

}  // namespace

void CSVLogger::on_train_begin(Run&, Logs&) {
  columns.clear();
  header = append ? first_line(filename) : "";
  // It is better to fail before the first epoch.
  write(*this, append ? std::ios::app : std::ios::trunc, append && ends_in_a_line(filename) ? "\n" : "");
}

void CSVLogger::on_epoch_end(Run& run, Index epoch, Logs& logs) {
  if (columns.empty()) find_columns(*this, run, logs);
  std::string row = fmt::format("{}", epoch);
  for (const std::string& name : columns) {
    row += separator;
    const double* value = logs.find(name);
    row += value == nullptr ? "NA" : fmt::format("{}", *value);
  }
  write(*this, std::ios::app, row + "\n");
}

// ---- LearningRateScheduler ----

void LearningRateScheduler::on_epoch_begin(Run& run, Index epoch, Logs&) {
  require<ValueError>(static_cast<bool>(schedule), "LearningRateScheduler: there is no schedule");
  Optimizer& optimizer = run.model.optimizer();
  const double rate = schedule(epoch, optimizer.learning_rate());
  require<ValueError>(std::isfinite(rate) && rate >= 0,
                      "LearningRateScheduler: the schedule gives {} for epoch {}; a rate of at least 0 is required",
                      rate, epoch);
  optimizer.set_learning_rate(rate);
}

void LearningRateScheduler::on_epoch_end(Run& run, Index, Logs& logs) {
  logs.set("learning_rate", run.model.optimizer().learning_rate());
}

}  // namespace cornu
