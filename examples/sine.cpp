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

/// A sine with a period of 25 values, plus noise.
Tensor noisy_sine(Index values) {
  Tensor result(Shape{values});
  Rng(1).fill_normal(result, 0, 0.1);
  for (Index t = 0; t < values; ++t) result[t] += std::sin(2 * 3.14159265 * t / 25);
  return result;
}

/// All windows of a series: 40 values as input, (windows, 40, 1), and the 20 that follow, (windows, 20).
struct Windows {
  Tensor x, y;

  explicit Windows(std::span<const Real> series) {
    const Index count = static_cast<Index>(series.size()) - seen - horizon + 1;
    x.resize({count, seen, 1});
    y.resize({count, horizon});
    for (Index i = 0; i < count; ++i) {
      std::copy_n(series.begin() + i, seen, x.begin() + i * seen);
      std::copy_n(series.begin() + i + seen, horizon, y.begin() + i * horizon);
    }
  }
};

double root_mean_square(const Tensor& error) { return std::sqrt(mean(square(error)).item()); }

/// Draws the last window: '.' input, 'o' true values, '*' forecast.
void draw(const Windows& windows, const Tensor& forecast) {
  const Index last = forecast.shape()[0] - 1, height = 15;
  std::vector<std::string> rows(height, std::string(seen + horizon, ' '));
  const auto put = [&](Index column, Real value, char sign) {
    const auto row = static_cast<Index>(std::lround((1.3 - value) / 2.6 * (height - 1)));
    if (0 <= row && row < height) rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)] = sign;
  };
  for (Index t = 0; t < seen; ++t) put(t, windows.x.at({last, t, 0}), '.');
  for (Index t = 0; t < horizon; ++t) put(seen + t, windows.y.at({last, t}), 'o');
  for (Index t = 0; t < horizon; ++t) put(seen + t, forecast.at({last, t}), '*');
  for (const std::string& row : rows) std::cout << fmt::format("{}\n", row);
  std::cout << fmt::format("{:<{}}'o' true values, '*' forecast\n", "'.' input", seen);
}

int main() {
  const Tensor series = noisy_sine(1500);
  const Windows train({series.begin(), 1200}), test({series.begin() + 1200, 300});

  Sequential model{Input{seen, 1}, LSTM{.units = 32}, Dense{horizon}};
  model.compile({.optimizer = Adam{.learning_rate = 0.005}, .loss = MeanSquaredError{}});
  model.summary();
  model.fit(train.x, train.y, {.epochs = 10});

  const Tensor forecast = model.predict(test.x);
  const Tensor naive = reshape(slice_axis(test.x, 1, seen - 1, seen), {-1, 1});
  const double error = root_mean_square(forecast - test.y), error_of_naive = root_mean_square(naive - test.y);
  draw(test, forecast);
  std::cout << fmt::format("root mean square error: {:.3f}; repeating the last value: {:.3f}; noise alone: 0.1\n",
                           error, error_of_naive);
  return error < error_of_naive / 4 ? 0 : 1;
}
