// Forecasting: an LSTM reads 40 values of a noisy sine and predicts the next 20. The program draws the forecast and
// compares its error with that of repeating the last value.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <string>
#include <vector>

using namespace cornu;

constexpr Index seen = 40, horizon = 20;

/// A sine with a period of 25 values, plus noise: (values, 1), a series with one feature.
Tensor noisy_sine(Index values) {
  Tensor result({values, 1});
  Rng(1).fill_normal(result, 0, 0.1);
  for (Index t = 0; t < values; ++t) result[t] += std::sin(2 * 3.14159265 * t / 25);
  return result;
}

double root_mean_square(const Tensor& error) { return std::sqrt(mean(square(error)).item()); }

/// Draws the last window: '.' input, 'o' true values, '*' forecast.
void draw(const TensorDataset& test, const Tensor& forecast) {
  const Index last = forecast.shape()[0] - 1, height = 15;
  std::vector<std::string> rows(height, std::string(seen + horizon, ' '));
  const auto put = [&](Index column, Real value, char sign) {
    const auto row = static_cast<Index>(std::lround((1.3 - value) / 2.6 * (height - 1)));
    if (0 <= row && row < height) rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)] = sign;
  };
  for (Index t = 0; t < seen; ++t) put(t, test.x().at({last, t, 0}), '.');
  for (Index t = 0; t < horizon; ++t) put(seen + t, test.y().at({last, t, 0}), 'o');
  for (Index t = 0; t < horizon; ++t) put(seen + t, forecast.at({last, t}), '*');
  for (const std::string& row : rows) std::cout << fmt::format("{}\n", row);
  std::cout << fmt::format("{:<{}}'o' true values, '*' forecast\n", "'.' input", seen);
}

int main() {
  const Tensor series = noisy_sine(1500);
  // x: 40 values, (40, 1). y: the 20 that follow, (20, 1). No value is in both parts.
  const Windows data(series, {.length = seen, .horizon = horizon, .target_length = horizon});
  const auto [train, last] = split(data, 0.2);
  const TensorDataset test = gathered(last);

  Sequential model{Input{seen, 1}, LSTM{.units = 32}, Dense{horizon}};
  model.compile({.optimizer = Adam{.learning_rate = 0.005}, .loss = MeanSquaredError{}});
  model.summary();
  model.fit(train, {.epochs = 10});

  const Tensor forecast = model.predict(test.x());  // (windows, 20)
  const Tensor truth = reshape(test.y(), forecast.shape());
  const Tensor naive = reshape(slice_axis(test.x(), 1, seen - 1, seen), {-1, 1});
  const double error = root_mean_square(forecast - truth), error_of_naive = root_mean_square(naive - truth);
  draw(test, forecast);
  std::cout << fmt::format("root mean square error: {:.3f}; repeating the last value: {:.3f}; noise alone: 0.1\n",
                           error, error_of_naive);

  // The same forecast, made as the values arrive: after each one, the stream forecasts the next 20.
  Stream stream(model);
  const Tensor arrived = slice_axis(test.x(), 0, -1, test.size());
  std::vector<Real> streamed(horizon);
  for (const Real value : arrived) stream.step({&value, 1}, streamed);
  double difference = 0;
  for (Index t = 0; t < horizon; ++t) {
    difference = std::max(difference, std::abs(static_cast<double>(streamed[static_cast<std::size_t>(t)] -
                                                                   forecast.at({test.size() - 1, t}))));
  }
  std::cout << fmt::format("streamed value by value, the last forecast differs by {:.1e}\n", difference);
  return error < error_of_naive / 4 && difference < 1e-5 ? 0 : 1;
}
