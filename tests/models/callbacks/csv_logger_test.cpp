#include "cornu/models/callbacks/callbacks.h"

#include <gtest/gtest.h>

#include <fstream>

#include "cornu/core/error.h"
#include "cornu/tests/models/callbacks/line_model.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::content;
using testing::error_of;
using testing::line_data;
using testing::line_model;
using testing::logs_of;
using testing::quiet;
using testing::TemporaryFolder;

/// Runs the logger through epochs with the given logs.
void log_epochs(CSVLogger logger, const std::vector<Logs>& epochs, Index first = 0, Index validation_freq = 0) {
  Sequential model = line_model();
  cornu::Run run{.model = model, .validation_freq = validation_freq, .metrics = {"loss", "accuracy"}};
  Logs logs;
  logger.on_train_begin(run, logs);
  for (Logs epoch : epochs) logger.on_epoch_end(run, first++, epoch);
}

TEST(CSVLogger, WritesAHeaderAndARowPerEpochSortedByName) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  log_epochs({file}, {logs_of({{"loss", 0.25}, {"accuracy", 1}}), logs_of({{"loss", 1e-10}, {"accuracy", 0.1}})});
  EXPECT_EQ(content(file), "epoch,accuracy,loss\n0,1,0.25\n1,0.1,1e-10\n");
  log_epochs({.filename = file, .separator = ';'}, {logs_of({{"loss", 3}})});
  EXPECT_EQ(content(file), "epoch;loss\n0;3\n") << "the file is overwritten";
}

TEST(CSVLogger, WritesTheValuesOfTheHistory) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  Sequential model = line_model();
  std::string after_first;
  FitOptions options = quiet(2, {CSVLogger{file}, LambdaCallback{.on_epoch_end = [&](cornu::Run&, Index epoch, Logs&) {
                                   if (epoch == 0) after_first = content(file);
                                 }}});
  options.validation_data = &line_data;
  const History history = model.fit(line_data, options);
  std::string expected = "epoch,loss,val_loss\n";
  for (std::size_t i = 0; i < 2; ++i) {
    expected += message("{},{},{}\n", i, history["loss"][i], history["val_loss"][i]);
    if (i == 0) {
      EXPECT_EQ(after_first, expected) << "a row is there as soon as its epoch ends";
    }
  }
  EXPECT_EQ(content(file), expected);
}

TEST(CSVLogger, AppendsWithoutASecondHeader) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  for (const Index first : {0, 1}) {
    log_epochs({.filename = file, .append = true}, {logs_of({{"loss", 0.5}})}, first);
  }
  EXPECT_EQ(content(file), "epoch,loss\n0,0.5\n1,0.5\n");
  EXPECT_EQ(error_of<FormatError>([&] {
              log_epochs({.filename = file, .append = true}, {logs_of({{"loss", 1}, {"accuracy", 1}})});
            }),
            file + ": the file has the columns epoch,loss; epoch,accuracy,loss cannot be appended");
  EXPECT_EQ(content(file), "epoch,loss\n0,0.5\n1,0.5\n");
}

TEST(CSVLogger, StartsANewLineAfterATruncatedOne) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  std::ofstream(file) << "epoch,loss\n0,0.5\n1,0.";
  log_epochs({.filename = file, .append = true}, {logs_of({{"loss", 0.25}})}, 1);
  EXPECT_EQ(content(file), "epoch,loss\n0,0.5\n1,0.\n1,0.25\n");
}

TEST(CSVLogger, WritesNAForMissingValues) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  log_epochs({file}, {logs_of({{"loss", 1}, {"accuracy", 2}}), logs_of({{"loss", 3}})});
  EXPECT_EQ(content(file), "epoch,accuracy,loss\n0,2,1\n1,NA,3\n");
}

TEST(CSVLogger, HasColumnsForALaterValidation) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  log_epochs({file},
             {logs_of({{"loss", 1}, {"accuracy", 2}, {"learning_rate", 3}}),
              logs_of({{"loss", 4}, {"accuracy", 5}, {"val_loss", 6}, {"val_accuracy", 7}, {"learning_rate", 8}})},
             0, 2);
  EXPECT_EQ(content(file), "epoch,accuracy,learning_rate,loss,val_accuracy,val_loss\n0,2,3,1,NA,NA\n1,5,8,4,7,6\n");
}

TEST(CSVLogger, QuotesNamesThatContainTheSeparator) {
  const TemporaryFolder folder;
  const std::string file = folder / "log.csv";
  log_epochs({file}, {logs_of({{"a,b", 1}, {"say \"c\"", 2}})});
  EXPECT_EQ(content(file), "epoch,\"a,b\",\"say \"\"c\"\"\"\n0,1,2\n");
}

TEST(CSVLogger, FailsBeforeTheFirstEpochIfTheFileCannotBeWritten) {
  const TemporaryFolder folder;
  const std::string file = folder / "missing/log.csv";
  Sequential model = line_model();
  EXPECT_EQ(error_of<FileError>([&] { model.fit(line_data, quiet(1, {CSVLogger{file}})); }),
            file + ": cannot be written (No such file or directory)");
  EXPECT_EQ(model.optimizer().iterations(), 0);
}

}  // namespace
}  // namespace cornu
