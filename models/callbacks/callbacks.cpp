#include "cornu/models/callbacks/callbacks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/formats/file_owner.h"
#include "cornu/models/callbacks/settable_rate.h"
#include "cornu/models/sequential.h"

namespace cornu {

// ---- EarlyStopping ----

void EarlyStopping::on_train_begin(Run& run, Logs&) {
  stopped_epoch = best_epoch = wait = 0;
  best = detail::worst(detail::is_to_grow("EarlyStopping", monitor, mode, run));
  best_weights.clear();
}

void EarlyStopping::on_epoch_end(Run& run, Index epoch, Logs& logs) {
  const double* value = detail::monitored("EarlyStopping", monitor, run, epoch, logs);
  if (value == nullptr || epoch < start_from_epoch) return;
  // The first epoch is the best so far, even if its value is NaN.
  if (restore_best_weights && best_weights.empty()) {
    best_weights = run.model.get_weights();
    best_epoch = epoch;
  }
  const bool grows = detail::is_to_grow("EarlyStopping", monitor, mode, run);
  const auto improves = [&](double reference) { return detail::improves(*value, reference, min_delta, grows); };
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

/// A CSV field: quoted if it contains separators, quotes or line breaks.
std::string cell(const std::string& text, char separator) {
  if (text.find_first_of(std::string("\"\r\n") + separator) == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string first_line(const std::string& filename) {
  std::ifstream file(filename);
  std::string line;
  std::getline(file, line);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

/// True if the last line is incomplete, as after a kill or on a full disk.
bool ends_in_a_line(const std::string& filename) {
  std::ifstream file(filename, std::ios::binary);
  return file.seekg(-1, std::ios::end) && file.get() != '\n';
}

/// Removes an incomplete last line, and trailing rows of this and later epochs.
void drop_rows(const CSVLogger& logger, Index epoch) {
  std::vector<std::string> lines;
  {
    std::ifstream file(logger.filename, std::ios::binary);
    for (std::string line; std::getline(file, line);) {
      if (!file.eof()) lines.push_back(line + "\n");
    }
  }
  const auto is_again = [&](const std::string& line) {
    Index number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    return error == std::errc() && number >= epoch;
  };
  while (!lines.empty() && is_again(lines.back())) lines.pop_back();
  std::string text;
  for (const std::string& line : lines) text += line;
  detail::write_to_file(logger.filename, text, detail::Existing::replace);
}

void find_columns(CSVLogger& logger, const Run& run, const Logs& logs) {
  for (const Logs::Entry& entry : logs) logger.columns.push_back(entry.name);
  if (run.validation_freq > 0) {  // also if this epoch was not validated
    for (const std::string& name : run.metrics) {
      if (logs.find("val_" + name) == nullptr) logger.columns.push_back("val_" + name);
    }
  }
  std::sort(logger.columns.begin(), logger.columns.end());
  std::string line = "epoch";
  for (const std::string& name : logger.columns) line += logger.separator + cell(name, logger.separator);
  require<FormatError>(logger.header.empty() || logger.header == line,
                       "{}: has the columns {}; {} cannot be appended to them", logger.filename, logger.header, line);
  if (logger.header.empty()) detail::write_to_file(logger.filename, line + "\n", detail::Existing::append);
}

}  // namespace

void CSVLogger::on_train_begin(Run&, Logs&) {
  columns.clear();
  header = append ? first_line(filename) : "";
  resumes = false;
  // Fail before the first epoch rather than after it.
  detail::write_to_file(filename, append && ends_in_a_line(filename) ? "\n" : "", detail::Existing::append);
}

void CSVLogger::on_epoch_end(Run& run, Index epoch, Logs& logs) {
  if (columns.empty()) {
    if (!append) detail::write_to_file(filename, "", detail::Existing::replace);
    find_columns(*this, run, logs);
  } else if (resumes) {
    drop_rows(*this, epoch);
  }
  resumes = false;
  std::string row = fmt::format("{}", epoch);
  for (const std::string& name : columns) {
    row += separator;
    const double* value = logs.find(name);
    row += value == nullptr ? "NA" : fmt::format("{}", *value);
  }
  // The file is opened for each row, so it is not held open and readers see every row.
  detail::write_to_file(filename, row + "\n", detail::Existing::append);
}

// ---- LearningRateScheduler ----

void LearningRateScheduler::on_train_begin(Run& run, Logs&) const {
  require<ValueError>(static_cast<bool>(schedule), "LearningRateScheduler: there is no schedule");
  detail::require_settable_rate("LearningRateScheduler", run.model.optimizer());
}

void LearningRateScheduler::on_epoch_begin(Run& run, Index epoch, Logs&) {
  Optimizer& optimizer = run.model.optimizer();
  detail::require_settable_rate("LearningRateScheduler", optimizer);  // again: a callback may have recompiled the model
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
