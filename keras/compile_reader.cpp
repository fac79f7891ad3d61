#include "cornu/keras/compile_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/options/options.h"
#include "cornu/formats/json.h"
#include "cornu/keras/objects.h"
#include "cornu/models/metrics/registry.h"
#include "cornu/optim/registry.h"

namespace cornu::keras::detail {

namespace {

/// Another name of a loss or metric.
struct Alias {
  std::string_view alias, name;
};

constexpr std::array<Alias, 18> aliases{{{"mse", "mean_squared_error"},
                                         {"mae", "mean_absolute_error"},
                                         {"mape", "mean_absolute_percentage_error"},
                                         {"msle", "mean_squared_logarithmic_error"},
                                         {"MSE", "mean_squared_error"},
                                         {"MAE", "mean_absolute_error"},
                                         {"MAPE", "mean_absolute_percentage_error"},
                                         {"MSLE", "mean_squared_logarithmic_error"},
                                         {"bce", "binary_crossentropy"},
                                         {"BCE", "binary_crossentropy"},
                                         {"kld", "kl_divergence"},
                                         {"KLD", "kl_divergence"},
                                         {"kullback_leibler_divergence", "kl_divergence"},
                                         {"logcosh", "log_cosh"},
                                         {"acc", "accuracy"},
                                         {"top_k_categorical_accuracy", "top_k_accuracy"},
                                         {"sparse_top_k_categorical_accuracy", "top_k_accuracy"},
                                         {"io_u", "mean_io_u"}}};

/// An option whose only supported values are these, or null.
struct Fixed {
  std::string_view option;
  std::vector<Json> allowed;
};

const std::vector<Fixed>& fixed_options() {
  static const std::vector<Fixed> rows{{"reduction", {"sum_over_batch_size", "mean", "auto"}},
                                       {"axis", {std::int64_t{-1}}},
                                       {"ignore_class", {}},
                                       {"decay", {std::int64_t{0}}},
                                       {"loss_scale_factor", {}},
                                       {"gradient_accumulation_steps", {}},
                                       {"summation_method", {"interpolation"}},
                                       {"multi_label", {false}},
                                       {"num_labels", {}},
                                       {"label_weights", {}},
                                       {"thresholds", {}}};
  return rows;
}

constexpr std::array ignored_options{"name", "dtype", "fn", "jit_compile", "is_legacy_optimizer"};

/// A float32's value with the fewest digits: Keras writes a learning rate of 0.001 as 0.0010000000474974513.
double shortest(double value) {
  const auto single = static_cast<float>(value);
  if (static_cast<double>(single) != value || !std::isfinite(single)) return value;
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), single).ptr;
  double result = value;
  std::from_chars(text.data(), end, result);
  return result;
}

Json rounded(const Json& json) {
  if (const auto* const real = json.as<double>()) return shortest(*real);
  return json;
}

/// Reads optimizers, losses and metrics. What Cornu lacks goes to `unknown`.
class CompileReader {
 public:
  explicit CompileReader(std::vector<std::string>& unknown) : unknown_(unknown) {}

  std::optional<AnyOptimizer> optimizer(const Json& json) {
    const std::string name = type_of(json, cornu::detail::optimizer_registry(), "optimizer");
    if (name.empty()) return std::nullopt;
    Json config = Json::Object{}, extras = Json::Object{};
    if (!convert(json, cornu::detail::optimizer_registry(), name, "optimizer " + name, config, &extras)) {
      return std::nullopt;
    }
    Json result = described(name, std::move(config));
    result.set("extras", std::move(extras));
    return made<AnyOptimizer>(result, "optimizer " + name);
  }

  std::optional<AnyLoss> loss(const Json& json) {
    const std::string name = type_of(json, cornu::detail::loss_registry(), "loss");
    Json config = Json::Object{};
    if (name.empty() || !convert(json, cornu::detail::loss_registry(), name, "loss " + name, config))
      return std::nullopt;
    return made<AnyLoss>(described(name, std::move(config)), "loss " + name);
  }

  /// A list of metrics; for a model with one output also a list in a list.
  std::vector<AnyMetric> metrics(const Json& json) {
    std::vector<AnyMetric> result;
    if (json.is_null()) return result;
    const auto* const list = json.as<Json::Array>();
    if (list == nullptr) {
      unknown_.push_back("metrics " + to_string(json));
      return result;
    }
    for (const Json& one : *list) {
      if (const auto* const inner = one.as<Json::Array>()) {
        for (const Json& own : *inner) add_metric(own, result);
      } else if (!one.is_null()) {
        add_metric(one, result);
      }
    }
    return result;
  }

 private:
  void add_metric(const Json& json, std::vector<AnyMetric>& to) {
    const std::string is_metric = type_of(json, cornu::detail::metric_registry(), "");
    const std::string name = is_metric.empty() ? type_of(json, cornu::detail::loss_registry(), "metric") : is_metric;
    Json config = Json::Object{};
    if (name.empty()) return;
    const bool well = is_metric.empty()
                          ? convert(json, cornu::detail::loss_registry(), name, "metric " + name, config)
                          : convert(json, cornu::detail::metric_registry(), name, "metric " + name, config);
    if (!well) return;
    if (auto metric = made<AnyMetric>(described(name, std::move(config)), "metric " + name)) {
      to.push_back(*std::move(metric));
    }
  }

  /// The registered name of an object: "Adam", "adam", {"class_name": "Adam", ...} or a function. "" if there is none,
  /// after an entry in `unknown_` if `what` is not empty.
  template <class Any>
  std::string type_of(const Json& json, const cornu::detail::Registry<Any>& registry, const std::string& what) {
    const auto* const text = json.as<std::string>();
    std::string name = text != nullptr ? *text : text_in(json, "class_name");
    if (name == "function") name = text_in(json, "config");
    std::string_view wanted = name;
    for (const Alias& one : aliases) {
      if (one.alias == name || one.alias == cornu::detail::snake_case(name)) wanted = one.name;
    }
    for (const std::string& known : registry.names()) {
      if (known == wanted || cornu::detail::snake_case(known) == wanted) return known;
      std::string lower = known;
      std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
      if (lower == wanted) return known;  // "rmsprop"
    }
    if (!what.empty()) unknown_.push_back(what + " " + (name.empty() ? to_string(json) : name));
    return "";
  }

  static Json described(const std::string& name, Json config) {
    Json result;
    result.set("class_name", name);
    result.set("config", std::move(config));
    return result;
  }

  /// Puts the options of an object into `config`, in Cornu's form, and those of OptimizerExtras into `extras`.
  template <class Any>
  bool convert(const Json& json, const cornu::detail::Registry<Any>& registry, const std::string& name,
               const std::string& label, Json& config, Json* extras = nullptr) {
    const auto* const members = in(json, "config").as<Json::Object>();
    if (members == nullptr) return true;  // a name alone
    const Json defaults = registry.describe(registry.make(described(name, Json::Object{})), name).at("config");
    bool well = true;
    for (const auto& [option, value] : *members) {
      if (std::find(ignored_options.begin(), ignored_options.end(), option) != ignored_options.end()) continue;
      if (option == "learning_rate" && value.template as<Json::Object>() != nullptr) {
        if (const auto schedule = schedule_of(value)) {
          config.set(option, *schedule);
        } else {
          well = false;
        }
      } else if (defaults.find(option) != nullptr) {
        if (!value.is_null()) config.set(option, rounded(value));
      } else if (extras != nullptr && (option == "use_ema" || option.starts_with("ema_"))) {
        if (!value.is_null() && same(in(in(json, "config"), "use_ema"), true)) extras->set(option, value);
      } else if (!is_fixed(option, value)) {
        unknown_.push_back(label + ": " + option + " = " + to_string(value));
        well = false;
      }
    }
    return well;
  }

  /// True if the value of an option that Cornu lacks means what Cornu does.
  static bool is_fixed(const std::string& option, const Json& value) {
    if (value.is_null()) return true;
    const auto& rows = fixed_options();
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const Fixed& one) { return one.option == option; });
    return row != rows.end() &&
           std::any_of(row->allowed.begin(), row->allowed.end(), [&](const Json& one) { return same(one, value); });
  }

  std::optional<Json> schedule_of(const Json& json) {
    const std::string name = type_of(json, cornu::detail::schedule_registry(), "learning rate");
    Json config = Json::Object{};
    if (name.empty() || !convert(json, cornu::detail::schedule_registry(), name, "learning rate " + name, config)) {
      return std::nullopt;
    }
    return described(name, std::move(config));
  }

  template <class T>
  std::optional<T> made(const Json& json, const std::string& label) {
    try {
      return value_of<T>(json);
    } catch (const Error& error) {
      unknown_.push_back(label + ": " + error.what());
      return std::nullopt;
    }
  }

  std::vector<std::string>& unknown_;
};

}  // namespace

Compiled read_compile(const Json& json) {
  Compiled result;
  CompileReader reader(result.unknown);
  const Json* const old = json.find("optimizer_config");
  auto optimizer = reader.optimizer(old != nullptr ? *old : in(json, "optimizer"));
  auto loss = reader.loss(in(json, "loss"));
  auto metrics = reader.metrics(in(json, "metrics")), weighted = reader.metrics(in(json, "weighted_metrics"));
  if (!in(json, "loss_weights").is_null()) result.unknown.push_back("loss_weights");
  if (result.unknown.empty()) {
    result.options.emplace(
        CompileOptions{*std::move(optimizer), *std::move(loss), std::move(metrics), std::move(weighted)});
  }
  return result;
}

}  // namespace cornu::keras::detail
