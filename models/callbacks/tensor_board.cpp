#include "cornu/models/callbacks/tensor_board.h"

#include <filesystem>

#include "cornu/core/error.h"
#include "cornu/models/sequential.h"

namespace cornu {

namespace {

const EventFile& file_of(TensorBoard& board, const std::string& part) {
  const auto found = board.files.find(part);
  if (found != board.files.end()) return found->second;
  return board.files.emplace(part, EventFile(std::filesystem::path(board.log_dir) / part)).first->second;
}

}  // namespace

void TensorBoard::on_train_begin(Run&, Logs&) {
  require<ValueError>(histogram_freq >= 0 && update_freq >= 0,
                      "TensorBoard: histogram_freq is {} and update_freq {}; neither may be negative", histogram_freq,
                      update_freq);
  files.clear();
  step = 0;
  file_of(*this, "train");  // fail before the first epoch rather than after it
}

void TensorBoard::on_train_batch_end(Run&, Index batch, Logs& logs) {
  if (update_freq > 0 && batch % update_freq == 0) {
    for (const Logs::Entry& entry : logs)
      file_of(*this, "train").write_scalar("batch_" + entry.name, entry.value, step);
  }
  ++step;
}

void TensorBoard::on_epoch_end(Run& run, Index epoch, Logs& logs) {
  bool has_rate = false;
  for (const Logs::Entry& entry : logs) {
    const bool of_validation = entry.name.starts_with("val_");
    file_of(*this, of_validation ? "validation" : "train")
        .write_scalar("epoch_" + (of_validation ? entry.name.substr(4) : entry.name), entry.value, epoch);
    has_rate = has_rate || entry.name == "learning_rate";
  }
  const EventFile& train = file_of(*this, "train");
  if (!has_rate) train.write_scalar("epoch_learning_rate", run.model.optimizer().learning_rate(), epoch);
  if (histogram_freq == 0 || epoch % histogram_freq != 0) return;
  for (const auto& [name, parameter] : std::as_const(run.model).parameters()) {
    train.write_histogram(name + "/histogram", parameter->value, epoch);
  }
}

}  // namespace cornu
