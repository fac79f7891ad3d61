#include "cornu/models/callbacks/model_checkpoint.h"

#include <fmt/args.h>
#include <fmt/format.h>

#include <filesystem>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/models/sequential.h"

namespace cornu {

namespace {

std::string file_name(const std::string& pattern, Index epoch, Index batch, const Logs& logs) {
  fmt::dynamic_format_arg_store<fmt::format_context> fields;
  fields.push_back(fmt::arg("epoch", epoch + 1));
  fields.push_back(fmt::arg("batch", batch + 1));
  for (const Logs::Entry& entry : logs) fields.push_back(fmt::arg(entry.name.c_str(), entry.value));
  try {
    return fmt::vformat(pattern, fields);
  } catch (const fmt::format_error& error) {
    throw ValueError(message("ModelCheckpoint: filepath \"{}\": {}; there are: epoch, batch, {}", pattern, error.what(),
                             logs.names()));
  }
}

void save(ModelCheckpoint& checkpoint, Run& run, Index epoch, Index batch, const Logs& logs) {
  if (checkpoint.save_best_only) {
    const double* const value = detail::monitored("ModelCheckpoint", checkpoint.monitor, run, epoch, logs);
    if (value == nullptr) return;
    const bool grows = detail::is_to_grow("ModelCheckpoint", checkpoint.monitor, checkpoint.mode, run);
    if (grows ? !(*value > checkpoint.best) : !(*value < checkpoint.best)) return;
    checkpoint.best = *value;
  }
  const std::string path = file_name(checkpoint.filepath, epoch, batch, logs);
  std::error_code ignored;  // opening the file reports problems with its folder
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  if (checkpoint.save_weights_only) {
    run.model.save_weights(path);
  } else {
    run.model.save(path);
  }
  checkpoint.last_saved = path;
}

}  // namespace

void ModelCheckpoint::on_train_begin(Run& run, Logs&) {
  require<ValueError>(save_freq >= 0, "ModelCheckpoint: save_freq is {}; it must not be negative", save_freq);
  best = 0;
  if (save_best_only) {
    best = initial_value_threshold.value_or(detail::worst(detail::is_to_grow("ModelCheckpoint", monitor, mode, run)));
  }
  last_saved.clear();
}

void ModelCheckpoint::on_train_batch_end(Run& run, Index batch, Logs& logs) {
  if (save_freq == 0) return;
  const Index done = run.epoch * run.steps + batch + 1;
  if (done % save_freq == 0) save(*this, run, run.epoch, batch, logs);
}

void ModelCheckpoint::on_epoch_end(Run& run, Index epoch, Logs& logs) {
  if (save_freq == 0) save(*this, run, epoch, run.steps - 1, logs);
}

}  // namespace cornu
