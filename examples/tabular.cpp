// Predicts one column of a table from the others: a class if the column holds texts or few whole numbers, otherwise a
// number. Without --data, it generates a table: the rents of flats.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <limits>
#include <set>
#include <sstream>

using namespace cornu;

struct Options {
  std::string data, target = "rent", save;
  std::vector<std::string> ignored;
  int epochs = 200;
  double learning_rate = 0.01;
  std::uint64_t seed = 1;
};

/// The generated table. The rent is a function of the other columns plus noise; some values are missing.
std::string generated_table(std::uint64_t seed) {
  Rng rng(seed);
  std::string table = "area,rooms,storey,district,heating,rent\n";
  constexpr std::array<const char*, 4> districts{"north", "river", "old town", "docks"};
  constexpr std::array<double, 4> surcharge{0, 2.5, 6, -1.5};
  for (int i = 0; i < 1200; ++i) {
    const double area = 20 + 130 * rng.uniform();
    const auto rooms = static_cast<int>(1 + area / 35 + rng.uniform());
    const auto district = static_cast<std::size_t>(rng.below(4));
    const Index storey = rng.below(6);
    const double per_square_metre = 9 + surcharge[district] + 0.3 * static_cast<double>(storey) + 120 / area;
    const double rent = per_square_metre * area * (1 + 0.04 * rng.normal());
    table += fmt::format("{:.0f},{},{},{},{},{:.0f}\n", area, rooms, rng.below(50) == 0 ? "" : std::to_string(storey),
                         districts[district], rng.below(3) == 0 ? "gas" : "district heating", rent);
  }
  return table;
}

CsvDataset read(const Options& options, const CsvOptions& csv) {
  if (!options.data.empty()) return read_csv(options.data, csv);
  std::istringstream table(generated_table(options.seed));
  return read_csv(table, "the generated table", csv);
}

/// Saves the model with the table's encoding, with which `cornu predict MODEL TABLE` reads other tables.
void save(Sequential& model, const CsvDataset& table, const Options& options) {
  if (options.save.empty()) return;
  model.set_csv_encoding(table.encoding());
  model.save(options.save);
}

/// True if the numbers are class indices: whole, and at most 10 different ones.
bool are_classes(const Tensor& y) {
  const std::set<Real> different(y.begin(), y.end());
  const auto whole = [](Real number) { return number == std::floor(number); };
  return different.size() <= 10 && std::all_of(different.begin(), different.end(), whole);
}

CsvDataset load(const Options& options) {
  CsvOptions csv{.target = options.target, .missing = CsvOptions::fill_in};
  csv.ignored.assign(options.ignored.begin(), options.ignored.end());
  CsvDataset table = read(options, csv);
  if (table.classes() > 0 || !are_classes(gathered(table).y())) return table;
  csv.categorical = {*csv.target};
  return read(options, csv);
}

/// Trains until the loss on a held-out fifth of the training set stops improving.
FitOptions with_early_stopping(EarlyStopping& early, const Options& options) {
  return {.epochs = options.epochs,
          .verbose = Verbose::silent,
          .callbacks = {&early, ReduceLROnPlateau{.factor = 0.3, .patience = 8}},
          .validation_split = 0.2,
          .seed = options.seed};
}

void classify(const CsvDataset& table, const Options& options) {
  const StratifiedSplit parts = stratified_split(table, 0.2, options.seed);
  const TensorDataset train = gathered(parts.train), test = gathered(parts.validation);
  Normalization standard;  // standardizes each column with mean and deviation of the training set
  standard.adapt(train.x());
  Sequential model(
      {Input{table.feature_shape()[0]}, standard, Dense{64, relu}, Dense{64, relu}, Dense{table.classes(), softmax}},
      {.name = "tabular", .seed = options.seed});
  model.compile({.optimizer = Adam{.learning_rate = options.learning_rate},
                 .loss = SparseCategoricalCrossentropy{},
                 .metrics = {Accuracy{}}});
  EarlyStopping early{.patience = 20, .restore_best_weights = true};
  FitOptions fit = with_early_stopping(early, options);
  fit.class_weight = balanced_class_weight(train);
  model.fit(train.x(), train.y(), fit);
  const ConfusionMatrix matrix = confusion_matrix(test.y(), model.predict_classes(test.x()), table.classes());
  std::cout << fmt::format("best epoch: {}\n\n{}\n", early.best_epoch + 1,
                           classification_report(matrix, table.class_names()));
  std::cout << fmt::format("test accuracy: {:.4f}\n", matrix.accuracy());
  save(model, table, options);
}

void regress(const CsvDataset& table, const Options& options) {
  // Shuffle the rows: tables are often sorted.
  std::vector<Index> rows = Rng(options.seed).permutation(table.size());
  const auto kept = rows.begin() + table.size() * 4 / 5;
  const DatasetSubset first(table, {rows.begin(), kept}), rest(table, {kept, rows.end()});
  const TensorDataset train = gathered(first), test = gathered(rest);
  Normalization standard, units{.invert = true};  // standardizes the features; converts outputs to the target's units
  standard.adapt(train.x());
  units.adapt(reshape(train.y(), {-1, 1}));
  Sequential model({Input{table.feature_shape()[0]}, standard, Dense{64, relu}, Dense{64, relu}, Dense{1}, units},
                   {.name = "tabular", .seed = options.seed});
  model.compile(
      {.optimizer = Adam{.learning_rate = options.learning_rate}, .loss = MeanSquaredError{}, .metrics = {R2Score{}}});
  EarlyStopping early{.patience = 20, .restore_best_weights = true};
  model.fit(train.x(), train.y(), with_early_stopping(early, options));
  const Tensor answers = model.predict(test.x());
  std::cout << fmt::format("best epoch: {}\n\n{:>12} {:>12}\n", early.best_epoch + 1, table.target_name(), "predicted");
  R2Score score;
  RootMeanSquaredError error;
  score.update(test.y(), answers);
  error.update(test.y(), answers);
  for (Index i = 0; i < std::min(answers.size(), Index{5}); ++i) {
    std::cout << fmt::format("{:>12.5g} {:>12.5g}\n", test.y()[i], answers[i]);
  }
  std::cout << fmt::format("\ntest R2: {:.4f}, root mean squared error: {:.4g}\n", score.result(), error.result());
  save(model, table, options);
}

void run(const Options& options) {
  const CsvDataset table = load(options);
  std::cout << fmt::format("{} rows, {} features, {}: {}\n", table.size(), table.feature_names().size(),
                           table.target_name(),
                           table.classes() > 0 ? fmt::format("one of {} classes", table.classes()) : "a number");
  table.classes() > 0 ? classify(table, options) : regress(table, options);
}

int main(int argc, char** argv) try {
  CLI::App app("Predict one column of a table from the others");
  Options options;
  app.add_option("--data", options.data, "CSV file with column names in the first row (default: a generated table)");
  app.add_option("--target", options.target, "column to predict; the generated table has rent, district, ...")
      ->capture_default_str();
  app.add_option("--ignore", options.ignored, "columns to leave out, such as row names and row numbers");
  app.add_option("--save", options.save, "save the model to this file, for 'cornu predict' and 'cornu evaluate'");
  app.add_option("--epochs", options.epochs, "maximum number of epochs; early stopping may end the run before")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--learning-rate", options.learning_rate, "learning rate of Adam")->capture_default_str();
  app.add_option("--seed", options.seed, "random seed of weights, split and shuffling")
      ->capture_default_str()
      ->check(CLI::Range(0, std::numeric_limits<int>::max()));
  CLI11_PARSE(app, argc, argv);
  run(options);
} catch (const std::exception& error) {
  std::cerr << fmt::format("error: {}\n", error.what());
  return 1;
}
