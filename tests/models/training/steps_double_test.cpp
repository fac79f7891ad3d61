#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>

#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/sequences.h"
#include "cornu/optim/registry.h"
#include "cornu/optim/shared_step.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/registered.h"

// Training steps on random graphs: small models whose parameters are shared, tied, transposed, sliced, reshaped and
// read as data take steps in every way the library offers, with every optimizer. The weights afterwards must be those
// of the rule applied to finite differences of the loss.
//
// CORNU_RANDOM_STEPS=20000 sets the number of steps, CORNU_RANDOM_STEPS_FIRST the first one.

namespace cornu {
namespace {

constexpr Index width = 4;          // of samples and of square weights
constexpr Index sample_count = 24;  // 1, 3 and 12 shards
constexpr Index columns = width + 1;

Index below(Rng& rng, Index n) { return rng.below(n); }
bool chance(Rng& rng, Index of) { return below(rng, of) == 0; }

/// A layer that computes a random function of a sample's `width` features and its index, which is the next column. The
/// function depends only on `recipe`, which selects the parameters and the ops between them.
struct RandomLayer {
  std::vector<Parameter> square;   // (width, width)
  std::vector<Parameter> rows;     // (width)
  std::vector<Parameter> wide;     // (width, 4 width): kernels of recurrent layers
  std::vector<Parameter> filters;  // (2, 2, 1, width)
  std::vector<Parameter> state;    // (width, width), not trained
  std::uint64_t recipe = 0;
  bool mixes_samples = false;
  bool lists_twice = false;  // one parameter is listed under two names
  std::vector<Tensor> held;  // values read instead of `square` where no gradient passes, for the differences

  struct Update {
    const Parameter* parameter;
    Var value;
  };

  explicit RandomLayer(std::uint64_t seed) : recipe(seed) {
    Rng rng(seed, 1);
    const auto fill = [&](std::vector<Parameter>& parameters, Index count, const Shape& shape) {
      for (Index i = 0; i < count; ++i) {
        Parameter parameter{Tensor(shape)};
        rng.fill_normal(parameter.value, 0, Real(0.6));
        parameter.frozen = chance(rng, 8);
        if (chance(rng, 4)) parameter.regularizer = L1L2{chance(rng, 2) ? 0.0 : 0.02, 0.03};
        if (chance(rng, 5)) parameter.constraint = MaxNorm{.max_value = 1};
        if (chance(rng, 12)) parameter.constraint = UnitNorm{};
        if (chance(rng, 12)) parameter.constraint = NonNeg{};
        parameters.push_back(std::move(parameter));
      }
    };
    fill(square, 1 + below(rng, 4), {width, width});
    fill(rows, 1 + below(rng, 2), {width});
    fill(wide, 1, {width, 4 * width});
    fill(filters, 1, {2, 2, 1, width});
    fill(state, below(rng, 3), {width, width});
    for (Parameter& parameter : state) {
      parameter.trainable = false;
      parameter.regularizer = {};
    }
    mixes_samples = chance(rng, 10);
    lists_twice = chance(rng, 6);
  }

  NamedParameters parameters() {
    NamedParameters result = unique_parameters();
    if (lists_twice) result.push_back({"tied", square.data()});
    return result;
  }

  NamedParameters unique_parameters() {
    NamedParameters result;
    for (auto [name, group] :
         {std::pair{"square", &square}, {"row", &rows}, {"wide", &wide}, {"filter", &filters}, {"state", &state}}) {
      for (std::size_t i = 0; i < group->size(); ++i) result.push_back({name + std::to_string(i), &(*group)[i]});
    }
    return result;
  }

  Shape build(const Shape&, Rng&) { return {width}; }

  Var forward(Var x) const {
    std::vector<Update> updates;
    const Var y = run(x, updates);
    for (const Update& update : updates) x.tape().record_update(*update.parameter, update.value);
    return y;
  }

  /// The same, but returns the updates instead of recording them.
  Var run(Var x, std::vector<Update>& updates) const {
    Tape& tape = x.tape();
    Rng rng(recipe, 2);
    const auto any = [&]<class T>(const std::vector<T>& of) -> const T& {
      return of[static_cast<std::size_t>(below(rng, std::ssize(of)))];
    };
    const auto matmul_any = [&](Var a, Var b) {
      return matmul(a, b, {.transpose_a = chance(rng, 3), .transpose_b = chance(rng, 3)});
    };

    // Weights computed from weights.
    std::vector<Var> weights;
    for (const Parameter& parameter : square) weights.push_back(tape.parameter(parameter));
    if (chance(rng, 4)) weights.push_back(reshape(tape.parameter(filters[0]), {width, width}));
    if (!state.empty() && chance(rng, 2)) weights.push_back(tape.parameter(any(state)));
    for (Index i = below(rng, 4); i > 0; --i) {
      const Var a = any(weights), b = any(weights);
      switch (below(rng, 11)) {
        case 0:
          weights.push_back(transpose(a));
          break;
        case 1:
          weights.push_back(tanh(matmul_any(a, b)));
          break;
        case 2:
          weights.push_back(matmul_any(a, b));
          break;
        case 3:
          weights.push_back(reshape(reshape(a, {2, 2 * width}), {width, width}));
          break;
        case 4: {
          const Index axis = below(rng, 2);
          weights.push_back(concatenate({slice_axis(a, axis, 2, width), slice_axis(b, axis, 0, 2)}, axis));
          break;
        }
        case 5:
          weights.push_back(a + b);
          break;
        case 6:
          weights.push_back(tanh(a * b));
          break;
        case 7: {  // read as data: no gradient passes through
          const auto at = static_cast<std::size_t>(below(rng, std::ssize(square)));
          weights.push_back(tape.input(held.empty() ? square[at].value : held[at]));
          break;
        }
        case 8:
          weights.push_back(tanh(affine(a, b, any(rows))));
          break;  // a learned input
        case 9:
          weights.push_back(
              reshape(lstm(reshape(a, {2, 2, width}), wide[0], wide[0], {.return_sequences = true}), {width, width}));
          break;
        default:
          weights.push_back(reshape(
              conv2d(reshape(a, {1, width, width, 1}),
                     chance(rng, 2) ? tape.parameter(filters[0]) : reshape(b, {2, 2, 1, width}), {.strides = 2}),
              {width, width}));
      }
    }

    const Index batch = x.shape()[0];
    const Var index = reshape(slice_axis(x, 1, width, columns), {batch});
    std::vector<Var> values{slice_axis(x, 1, 0, width)};
    for (Index i = 1 + below(rng, 4); i > 0; --i) {
      const Var v = any(values), u = any(values), w = any(weights);
      const Var kernel = chance(rng, 2) ? tape.parameter(wide[0]) : concatenate({w, any(weights), w, any(weights)});
      const Var sequence = reshape(concatenate({u, v}, 1), {batch, 2, width});
      switch (below(rng, 12)) {
        case 0:
          values.push_back(tanh(matmul(v, w, {.transpose_b = chance(rng, 3)})));
          break;
        case 1:
          values.push_back(tanh(affine(v, w, any(rows))));
          break;
        case 2:
          values.push_back(lstm(sequence, kernel, chance(rng, 2) ? kernel : tape.parameter(wide[0])));
          break;
        case 3: {
          const Var of_gates = slice_axis(kernel, 1, 0, 3 * width);
          values.push_back(gru(sequence, of_gates, of_gates));
          break;
        }
        case 4: {
          const Var filter = chance(rng, 2) ? tape.parameter(filters[0]) : reshape(w, {2, 2, 1, width});
          values.push_back(tanh(reshape(conv2d(reshape(v, {batch, 2, 2, 1}), filter, any(rows)), {batch, width})));
          break;
        }
        case 5:
          values.push_back(u + v);
          break;
        case 6:
          values.push_back(tanh(u * v));
          break;
        case 7:
          values.push_back(layer_normalization(v, any(rows), any(rows), {.epsilon = 0.1}));
          break;
        case 8:
          values.push_back(tanh(take(w, index)));
          break;
        case 9:
          values.push_back(v + any(rows));
          break;
        case 10: {  // rows of rank 3, and a weight that is an alias
          const Var y = matmul(reshape(v, {batch, 2, 2}), reshape(w, {2, 2 * width}));
          values.push_back(tanh(slice_axis(reshape(y, {batch, 4 * width}), 1, 3, 3 + width)));
          break;
        }
        default:
          values.push_back(softmax(v) * w.tape().constant(3));
      }
    }
    Var y = values.back();
    if (mixes_samples) y = batch_normalization(y, rows[0], any(rows), 0.1).y;
    if (chance(rng, 4)) tape.add_loss(mean(square_of(any(weights))));

    for (const Parameter& parameter : state) {
      const Parameter& q = any(square);
      const Var value = chance(rng, 3)   ? tape.parameter(q)
                        : chance(rng, 3) ? tape.input(q.value)
                        : chance(rng, 3) ? reshape(any(weights), {width, width})
                        : chance(rng, 3) ? tape.parameter(any(state))
                                         : tape.parameter(parameter) * 0.75 + any(weights) * 0.25;
      updates.push_back({&parameter, value});
    }
    if (chance(rng, 10)) {  // two parameters are swapped
      const Parameter &p = any(square), &q = any(square);
      updates.push_back({&p, tape.parameter(q)});
      updates.push_back({&q, tape.input(p.value)});
    }
    return y;
  }

  static Var square_of(Var x) { return cornu::square(x); }
};

/// A rule of this name with random options. The rates are large, so that reading outdated weights shows.
AnyOptimizer random_rule(const std::string& name, Rng& rng, const NamedParameters& parameters) {
  const auto described = [](Json config, const std::string& called) {
    Json json;
    json.set("class_name", called);
    json.set("config", std::move(config));
    return json;
  };
  detail::Registry<AnyOptimizer>& registry = detail::optimizer_registry();
  const Json defaults = registry.describe(registry.make(described(Json::Object{}, name)), "a rule").at("config");
  Json config = Json::Object{};
  const Index clipping = below(rng, 8);
  for (const auto& [option, value] : *defaults.as<Json::Object>()) {
    Json chosen = value;
    if (option == "learning_rate") chosen = 0.05 + 0.3 * static_cast<double>(rng.uniform(0, 1));
    if (option == "epsilon" && chance(rng, 2)) chosen = 0.1;
    if (option == "momentum" && chance(rng, 2)) chosen = 0.8;
    if (option == "weight_decay") chosen = chance(rng, 3) ? 0.1 : 0.0;
    if (option == "clipnorm" && clipping == 0) chosen = 0.2;
    if (option == "clipvalue" && clipping == 1) chosen = 0.1;
    if (option == "global_clipnorm" && clipping == 2) chosen = 0.3;
    if (value.as<bool>() != nullptr) chosen = chance(rng, 2);
    config.set(option, chosen);
  }
  OptimizerExtras extras;
  const auto some = [&] { return parameters[static_cast<std::size_t>(below(rng, std::ssize(parameters)))].name; };
  if (chance(rng, 4)) extras.exclude_from_weight_decay = {some()};
  if (chance(rng, 4)) extras.learning_rate_multipliers = {{some(), 0.5}};
  if (chance(rng, 4)) {
    extras.use_ema = true;
    extras.ema_momentum = 0.6;
    extras.ema_overwrite_frequency = below(rng, 3);
  }
  return {registry.make(described(std::move(config), name)), extras};
}

using Tensors = std::vector<Tensor>;

/// A step as documented: everything Optimizer does apart from the rule itself, written out.
class ReferenceOptimizer {
 public:
  ReferenceOptimizer(const AnyOptimizer& rule, const NamedParameters& parameters) : rule_(rule) {
    for (const NamedParameter& named : parameters) {
      names_.push_back(named.name);
      std::vector<View> views;
      slots_.emplace_back();
      for (Index k = 0; k < rule.slot_count(); ++k) slots_.back().emplace_back(named.parameter->shape());
      for (Tensor& slot : slots_.back()) views.push_back(slot);
      rule_.begin(views);
    }
  }

  /// gradients: empty tensors for parameters without one.
  Tensors step(const NamedParameters& parameters, Tensors weights, Tensors gradients, const Tensors& updates) {
    const auto& options = rule_.options();
    const OptimizerExtras& extras = rule_.extras();
    double total = 0;
    for (Tensor& gradient : gradients) {
      double square = 0;
      for (const Real g : gradient) square += g * g;
      total += square;
      for (Real& g : gradient) {
        if (options.clipvalue > 0) g = std::clamp<Real>(g, -options.clipvalue, options.clipvalue);
        if (options.clipnorm > 0 && std::sqrt(square) > options.clipnorm) g *= options.clipnorm / std::sqrt(square);
      }
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      Tensor &w = weights[i], &g = gradients[i];
      if (!g.empty()) {
        if (options.global_clipnorm > 0 && std::sqrt(total) > options.global_clipnorm) {
          for (Real& each : g) each *= options.global_clipnorm / std::sqrt(total);
        }
        double rate = rule_.learning_rate().at(iterations_);
        if (extras.learning_rate_multipliers.contains(names_[i]))
          rate *= extras.learning_rate_multipliers.at(names_[i]);
        const auto& excluded = extras.exclude_from_weight_decay;
        if (std::find(excluded.begin(), excluded.end(), names_[i]) == excluded.end()) {
          for (Real& each : w) each -= rate * options.weight_decay * each;
        }
        std::vector<View> slots;
        for (Tensor& slot : slots_[i]) slots.push_back(slot);
        rule_.update(w, g, slots, {.iteration = iterations_, .learning_rate = rate});
      }
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (!updates[i].empty()) weights[i] = updates[i];
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Parameter& parameter = *parameters[i].parameter;
      if (extras.use_ema) {
        Tensor& average = slots_[i].back();
        const double kept = iterations_ == 0 || !parameter.learns() ? 0 : extras.ema_momentum;
        for (Index k = 0; k < average.size(); ++k) average[k] = kept * average[k] + (1 - kept) * weights[i][k];
        if (extras.ema_overwrite_frequency > 0 && (iterations_ + 1) % extras.ema_overwrite_frequency == 0 &&
            parameter.learns()) {
          weights[i] = average;
        }
      }
      if (parameter.constraint && !gradients[i].empty()) parameter.constraint(weights[i]);
    }
    ++iterations_;
    return weights;
  }

  const Tensor& average(std::size_t i) const { return slots_[i].back(); }

 private:
  AnyOptimizer rule_;
  std::vector<std::string> names_;
  std::vector<std::vector<Tensor>> slots_;
  Index iterations_ = 0;
};

/// Ways to take a step.
enum class Way { minimize, parts, train_on_batch, fit };
constexpr std::array<std::string_view, 4> names_of_ways{"minimize", "parts", "train_on_batch", "fit"};

/// The whole loss of a pass over a share of the samples; only one pass counts the penalties.
Var total_loss(Var y, ConstView target, const NamedParameters& parameters, Real share = 1) {
  Var loss = mean(square(y - y.tape().input(target)));
  for (const Var added : y.tape().losses()) loss = loss + added;
  for (const NamedParameter& named : parameters) {
    const Parameter& p = *named.parameter;
    if (p.regularizer && p.learns()) loss = loss + p.regularizer(y.tape().parameter(p)) / share;
  }
  return loss;
}

/// A model that takes a few steps in one way.
class RandomSteps {
 public:
  explicit RandomSteps(std::uint64_t seed)
      : rng_(seed, 3), reference_(seed), x_({sample_count, columns}), y_({sample_count, width}) {
    const std::vector<std::string>& rules = testing::registered_optimizers;
    const std::string& name = rules[static_cast<std::size_t>(below(rng_, std::ssize(rules)))];
    parameters_ = reference_.unique_parameters();
    rule_ = random_rule(name, rng_, parameters_);
    way_ = static_cast<Way>(below(rng_, 4));
    constexpr std::array<Index, 3> counts{1, 3, 12};
    shards_ = reference_.mixes_samples || way_ == Way::minimize || way_ == Way::train_on_batch
                  ? 1
                  : counts[static_cast<std::size_t>(below(rng_, 3))];
    threads_ = 1 + below(rng_, 2);
    steps_ = chance(rng_, 4) ? 3 : 1;
    rng_.fill_normal(x_, 0, 1);
    rng_.fill_normal(y_, 0, 1);
    for (Index i = 0; i < sample_count; ++i) x_[i * columns + width] = static_cast<Real>(below(rng_, width));
    description_ = message("seed {}: {}, {} by {}, {} shards, {} threads", seed, steps_,
                           names_of_ways[static_cast<std::size_t>(way_)], name, shards_, threads_);
  }

  Index steps() const { return steps_; }

  void check() {
    SCOPED_TRACE(description_);
    // The reference gradient is only known up to the error of the differences, so three references bracket the step.
    constexpr std::array<Real, 3> errors{-1e-8, 0, 1e-8};
    std::vector<ReferenceOptimizer> optimizers(3, ReferenceOptimizer(*rule_, parameters_));
    start();
    for (Index i = 0; i < steps_; ++i) {
      const Tensors before = values(parameters_), gradients = gradient_by_differences(), updates = values_of_updates();
      std::array<Tensors, 3> expected;
      for (std::size_t k = 0; k < 3; ++k) {
        Tensors shifted = gradients;
        for (Tensor& gradient : shifted) {
          for (Real& g : gradient) g += errors[k];
        }
        expected[k] = optimizers[k].step(parameters_, before, std::move(shifted), updates);
        for (std::size_t p = 0; p < before.size() && way_ == Way::fit && rule_->extras().use_ema; ++p) {
          if (parameters_[p].parameter->learns()) expected[k][p] = optimizers[k].average(p);  // as at the end of fit
        }
      }
      const Tensors after = step();
      for (std::size_t p = 0; p < before.size(); ++p) {
        for (Index k = 0; k < after[p].size(); ++k) {
          const auto [low, high] = std::minmax({expected[0][p][k], expected[1][p][k], expected[2][p][k]});
          const Real tolerance = 1e-7 + 2 * (high - low);
          ASSERT_NEAR(after[p][k], expected[1][p][k], tolerance)
              << "step " << i << ", " << parameters_[p].name << "[" << k << "], which was " << before[p][k]
              << " and has the gradient " << (gradients[p].empty() ? 0 : gradients[p][k]);
        }
        parameters_[p].parameter->value = after[p];
      }
    }
  }

 private:
  static Tensors values(const NamedParameters& parameters) {
    Tensors result;
    for (const NamedParameter& named : parameters) result.push_back(named.parameter->value);
    return result;
  }

  // ---- The reference: differences of the loss, and the updates' values ----

  Real loss() {
    tape_.clear();
    std::vector<RandomLayer::Update> updates;
    const Var y = reference_.run(tape_.input(x_), updates);
    return total_loss(y, y_, parameters_).item();
  }

  Tensors gradient_by_differences() {
    tape_.clear();
    std::vector<RandomLayer::Update> updates;
    const Var y = reference_.run(tape_.input(x_), updates);
    std::vector<const Parameter*> reached;  // the others have no gradient, which is not the same as a zero gradient
    for (const auto& entry : tape_.backward(total_loss(y, y_, parameters_)).entries()) {
      reached.push_back(entry.parameter);
    }
    for (const Parameter& parameter : reference_.square) reference_.held.push_back(parameter.value);
    Tensors result;
    for (const NamedParameter& named : parameters_) {
      Tensor& w = named.parameter->value;
      result.emplace_back();
      if (std::find(reached.begin(), reached.end(), named.parameter) == reached.end()) continue;
      result.back() = Tensor(w.shape());
      for (Index k = 0; k < w.size(); ++k) {
        const Real old = w[k];
        const Real step = old == 0 ? 1e-5 : std::min(1e-5, std::abs(old) / 2);  // do not step over the kink of L1
        w[k] = old + step;
        const Real above = loss();
        w[k] = old - step;
        const Real below = loss();
        w[k] = old;
        result.back()[k] = (above - below) / (2 * step);
      }
    }
    reference_.held.clear();
    return result;
  }

  Tensors values_of_updates() {
    tape_.clear();
    std::vector<RandomLayer::Update> updates;
    reference_.run(tape_.input(x_), updates);
    Tensors result(parameters_.size());
    for (const RandomLayer::Update& update : updates) {
      for (std::size_t i = 0; i < parameters_.size(); ++i) {
        if (parameters_[i].parameter == update.parameter && !update.parameter->frozen) {
          result[i] = Tensor(update.value.value());
        }
      }
    }
    return result;
  }

  // ---- The library ----

  void start() {
    if (way_ == Way::minimize || way_ == Way::parts) {
      layer_.emplace(reference_);
      optimizer_.emplace(*rule_, layer_->parameters());
      team_.emplace(threads_);
      tapes_ = std::vector<Tape>(static_cast<std::size_t>(shards_));
    } else {
      model_ = Sequential{Input{columns}, reference_};
      model_.compile({.optimizer = *rule_, .loss = MeanSquaredError{}});
    }
  }

  Tensors step() {
    if (way_ == Way::minimize) {
      tapes_[0].clear();
      const Var y = layer_->forward(tapes_[0].input(x_));
      optimizer_->minimize(total_loss(y, y_, layer_->unique_parameters()));
    } else if (way_ == Way::parts) {
      step_by_parts();
    } else if (way_ == Way::train_on_batch) {
      model_.train_on_batch(x_, y_);
    } else {
      model_.fit(x_, y_,
                 {.batch_size = sample_count,
                  .verbose = Verbose::silent,
                  .shuffle = false,
                  .threads = threads_,
                  .shard_size = sample_count / shards_,
                  .stop_on_interrupt = false});
    }
    return layer_ ? values(layer_->parameters()) : model_.get_weights();
  }

  void step_by_parts() {
    const Index rows = sample_count / shards_;
    std::vector<Gradients> parts;
    for (Index part = 0; part < shards_; ++part) {
      Tape& tape = tapes_[static_cast<std::size_t>(part)];
      tape.clear();
      const Var y = layer_->forward(tape.samples({x_.data() + part * rows * columns, Shape{rows, columns}}));
      const Real share = Real(1) / static_cast<Real>(shards_);
      const Var loss = total_loss(y, {y_.data() + part * rows * width, Shape{rows, width}},
                                  part == 0 ? layer_->unique_parameters() : NamedParameters(), share);
      parts.push_back(
          tape.backward(loss, {.gradient = share, .defer_products = true, .parameters = optimizer_->parameters()}));
    }
    detail::step(*optimizer_, parts, &*team_);
  }

  Rng rng_;
  RandomLayer reference_;
  NamedParameters parameters_;  // of the reference
  Tensor x_, y_;
  std::optional<AnyOptimizer> rule_;
  Way way_ = Way::minimize;
  Index shards_ = 1, threads_ = 1, steps_ = 1;
  std::string description_;
  Tape tape_;

  std::optional<RandomLayer> layer_;
  std::optional<Optimizer> optimizer_;
  std::optional<detail::Team> team_;
  std::vector<Tape> tapes_;
  Sequential model_;
};

TEST(Steps, ApplyTheRuleToTheFiniteDifferenceGradient) {
  const auto number = [](const char* variable, Index otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : static_cast<Index>(std::atoll(text));
  };
  const Index steps = number("CORNU_RANDOM_STEPS", 4000);
  Index done = 0, seed = number("CORNU_RANDOM_STEPS_FIRST", 1);
  for (; done < steps; ++seed) {
    RandomSteps one(static_cast<std::uint64_t>(seed));
    one.check();
    if (HasFatalFailure()) return;
    done += one.steps();
  }
}

}  // namespace
}  // namespace cornu
