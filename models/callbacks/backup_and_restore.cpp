#include "cornu/models/callbacks/backup_and_restore.h"

#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/options/options.h"
#include "cornu/core/text/naming.h"
#include "cornu/formats/file_owner.h"
#include "cornu/formats/json.h"
#include "cornu/models/saving/saving.h"
#include "cornu/models/sequential_state.h"

namespace cornu {

namespace {

constexpr const char* backup_metadata = "cornu.backup";
constexpr const char* backup_file = "backup.safetensors";

std::string history_name(const std::string& name) { return std::string(detail::backup_prefix) + "history/" + name; }
std::string callback_name(std::size_t i) { return message("{}callbacks/{}", detail::backup_prefix, i); }

/// The position of the run, the accumulated metrics of the epoch, and the callbacks' state.
void visit_run(OptionVisitor& visit, Run& run) {
  visit("steps", run.steps);
  visit("epoch", run.epoch);
  visit("batch", run.batch);
  require<FormatError>(run.epoch >= 0 && run.batch >= 0 && run.batch <= run.steps, "epoch {}, batch {} of {}",
                       run.epoch, run.batch, run.steps);
  detail::Seen& seen = detail::SequentialState::of(run.model).seen;
  visit("seen", seen);
  seen.check();
  visit("stop_training", run.stop_training);
  if (run.batch > 0) visit.within("tally", run.visit_metrics);
  Index callbacks = std::ssize(run.callbacks);
  visit("callbacks", callbacks);
  for (std::size_t i = 0; i < run.callbacks.size(); ++i) {
    visit.within(message("callback_{}", i).c_str(), [&](OptionVisitor& inside) { run.callbacks[i].state(inside); });
  }
}

/// Throws ValueError unless the backup is from a run like this one. Changes nothing.
void require_same(const Json& backup, const Run& run) {
  const auto steps = value_of<Index>(backup.at("steps")), callbacks = value_of<Index>(backup.at("callbacks"));
  require<ValueError>(steps == run.steps, "the interrupted run has {} batches per epoch, this one has {}", steps,
                      run.steps);
  require<ValueError>(callbacks == std::ssize(run.callbacks), "the interrupted run has {} callbacks, this one has {}",
                      callbacks, run.callbacks.size());
}

/// Doubles as a raw tensor, because a Tensor may be of floats.
RawTensor raw(std::string name, const std::vector<double>& values) {
  return {.name = std::move(name),
          .dtype = Dtype::f64,
          .shape = {std::ssize(values)},
          .bytes = std::as_bytes(std::span(values))};
}

void restore_history(const SafetensorsFile& file, History& history) {
  const std::string prefix = history_name("");
  for (const RawTensor& tensor : file.tensors()) {
    if (!tensor.name.starts_with(prefix)) continue;
    require<FormatError>(tensor.dtype == Dtype::f64, "\"{}\" is {}; F64 is required", tensor.name,
                         to_string(tensor.dtype));
    std::vector<double>& values = history.history[tensor.name.substr(prefix.size())];
    values.resize(tensor.bytes.size() / sizeof(double));
    if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  }
}

void save(const std::string& path, Run& run) {
  std::vector<RawTensor> tensors;
  const detail::ConstParameters parameters = std::as_const(run.model).parameters();
  detail::put_weights(tensors, parameters);
  Json json = detail::new_description();
  json.set("optimizer", detail::put_optimizer(tensors, run.model.optimizer(), parameters));
  std::vector<Tensor> remembered;
  OptionVisitor visit(&remembered);
  visit_run(visit, run);
  visit("epochs", run.history->epoch);
  json.set("run", std::move(visit).written());
  detail::require_utf8(json);
  for (std::size_t i = 0; i < remembered.size(); ++i) {
    tensors.push_back(raw_tensor(callback_name(i), remembered[i]));
  }
  for (const auto& [name, values] : run.history->history) tensors.push_back(raw(history_name(name), values));
  write_safetensors(path, tensors, {{"format", "cornu"}, {backup_metadata, to_string(json)}});
}

void restore(const std::string& path, Run& run) {
  const SafetensorsFile file(path);
  detail::naming(path, [&] {
    const Json json = detail::described_in(file.content(), backup_metadata);
    require_same(json.at("run"), run);
    std::vector<Tensor> remembered;
    while (file.find(callback_name(remembered.size())) != nullptr) {
      remembered.push_back(file.tensor(callback_name(remembered.size())));
    }
    detail::get_weights(file.content(), run.model.parameters(), {});
    detail::get_optimizer(file.content(), json.at("optimizer"), run.model.optimizer(),
                          std::as_const(run.model).parameters());
    OptionVisitor visit(json.at("run"), &remembered);
    visit_run(visit, run);
    visit("epochs", run.history->epoch);
    visit.require_all_read();
    restore_history(file, *run.history);
  });
}

std::filesystem::path path_in(const std::filesystem::path& folder) { return folder / backup_file; }

/// Removes temporary files that killed runs of this user left.
void remove_unfinished(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(std::string(".") + backup_file) && name.ends_with(".part") &&
        detail::why_untrusted(entry.path()).empty()) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

}  // namespace

void BackupAndRestore::on_train_resume(Run& run, Logs&) const {
  require<ValueError>(save_freq >= 0, "BackupAndRestore: save_freq is {}; it must not be negative", save_freq);
  std::error_code failed;
  std::filesystem::create_directories(backup_dir, failed);
  require<FileError>(!failed, "BackupAndRestore: cannot create the folder {} ({})", backup_dir, failed.message());
  remove_unfinished(backup_dir);
  const std::filesystem::path path = path_in(backup_dir);
  if (!std::filesystem::exists(path)) return;
  const std::string untrusted = detail::why_untrusted(path);
  require<FileError>(untrusted.empty(), "BackupAndRestore: {}: {}; choose another backup_dir", path.string(),
                     untrusted);
  restore(path, run);
}

void BackupAndRestore::on_train_pause(Run& run, Logs&) const {
  if (run.non_finite) return;  // the previous backup is the better one to resume from
  const bool after_epoch = run.batch == 0;
  const bool due = save_freq == 0 ? after_epoch : !after_epoch && (run.epoch * run.steps + run.batch) % save_freq == 0;
  if (due) save(path_in(backup_dir), run);
}

void BackupAndRestore::on_train_end(Run& run, Logs&) const {
  // A run that did not complete can be resumed.
  if (!delete_checkpoint || run.error || run.non_finite || run.history->interrupted) return;
  std::error_code ignored;
  std::filesystem::remove(path_in(backup_dir), ignored);
  std::filesystem::remove(backup_dir, ignored);  // only if empty
}

}  // namespace cornu
