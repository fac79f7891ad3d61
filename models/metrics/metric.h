#pragma once

#include <memory>
#include <string>
#include <utility>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/direction.h"
#include "cornu/core/options/options.h"
#include "cornu/layers/any_layer.h"
#include "cornu/optim/losses/losses.h"

namespace cornu {

/// A metric accumulates batches and computes one value from all it has seen. It is a copyable struct with
///   void reset()
///   void update(ConstView y_true, ConstView y_pred)     both (batch, ...)
///   double result() const
/// Optional members:
///   void update(ConstView y_true, ConstView y_pred, ConstView sample_weight)
///                                     for CompileOptions::weighted_metrics. sample_weight: one weight per sample,
///                                     (batch), or per label, or empty; a label of weight 0 may be any value.
///   std::string name() const          its name; otherwise its type's name in snake case.
///   void state(auto& visit)           visits its accumulated values, `visit("total", total)`. Needed to save it
///                                     in mid-epoch (BackupAndRestore).
///   bool costly() const               true if result() takes time proportional to all samples seen: fit then calls it
///                                     at the end of an epoch, not after every batch.
///   static constexpr Direction direction = Direction::up;
///                                     larger values are better; Direction::down if smaller ones are. EarlyStopping and
///                                     similar callbacks use it; without it they require a `.mode`.
///   bool reads_logits(Logits) const   true if it takes logits.
///   bool reads_logits(Logits, Index outputs) const
///                                     the same, if it depends on the size of the model's last axis.
/// y_pred are the model's outputs. If the model's loss takes logits, y_pred are probabilities, the sigmoid or softmax
/// of the outputs, unless reads_logits returns true. Without reads_logits, a margin loss such as Hinge passes the
/// outputs themselves.
template <class M>
concept Metric = std::copy_constructible<M> && requires(M& metric, const M& seen, ConstView y_true, ConstView y_pred) {
  metric.reset();
  metric.update(y_true, y_pred);
  { seen.result() } -> std::convertible_to<double>;
};

/// A loss as a metric: its mean over the samples seen, sum(weight * loss) / sum(weight); 0 if there are none. Without
/// sample weights, each weight is 1.
class LossMetric {
 public:
  template <class L>
  requires(!std::same_as<L, LossMetric> && std::constructible_from<AnyLoss, L>) explicit LossMetric(L loss)
      : LossMetric(detail::snake_case(detail::type_name<L>()), std::move(loss)) {}
  LossMetric(std::string name, const AnyLoss& loss) : LossMetric(loss.direction(), std::move(name), loss) {}
  /// With the given direction, whatever the loss declares.
  LossMetric(Direction own_direction, std::string name, AnyLoss loss)
      : direction(own_direction),
        name_(std::move(name)),
        loss_(std::move(loss)),
        tape_(std::make_unique<Tape>(Mode::inference)) {}
  LossMetric(const LossMetric& other) : LossMetric(other.direction, other.name_, other.loss_) {
    total_ = other.total_;
    samples_ = other.samples_;
  }
  LossMetric& operator=(const LossMetric&) = delete;
  ~LossMetric() = default;

  const Direction direction;

  std::string name() const { return name_; }
  const AnyLoss& loss() const { return loss_; }
  bool reads_logits(Logits logits, Index) const { return loss_.logits() != Logits::none || logits == Logits::margin; }
  void state(auto& visit) {
    visit("total", total_);
    visit("samples", samples_);
  }
  void reset() { total_ = samples_ = 0; }
  void update(ConstView y_true, ConstView y_pred, ConstView sample_weight = {}) {
    tape_->clear();
    const auto samples = static_cast<double>(y_pred.shape()[0]);
    total_ += samples * static_cast<double>(loss_(tape_->input(y_pred), y_true, sample_weight).item());
    double weight = 0;
    for (const Real each : sample_weight) weight += static_cast<double>(each);
    samples_ += sample_weight.size() == 0 ? samples : samples * weight / static_cast<double>(sample_weight.size());
  }
  double result() const {
    const double loss = samples_ == 0 ? 0 : total_ / samples_;
    return loss_.is_negated_as_metric() ? 0 - loss : loss;
  }

 private:
  std::string name_;
  AnyLoss loss_;
  std::unique_ptr<Tape> tape_;
  double total_ = 0, samples_ = 0;
};

/// Any metric, held by value.
class AnyMetric {
 public:
  template <class M>
  requires(!std::same_as<M, AnyMetric> && Metric<M>) AnyMetric(M metric)
      : box_(std::make_unique<BoxOf<M>>(std::move(metric))) {}
  /// Accepts a loss: `.metrics = {Accuracy{}, MeanSquaredError{}}`.
  template <class L>
  requires(!std::same_as<L, AnyMetric> && (WeightedLoss<L> || PlainLoss<L>)&&!Metric<L>) AnyMetric(L loss)
      : AnyMetric(LossMetric(std::move(loss))) {}

  // Types that are almost metrics: accepted here, then rejected by a static_assert that says why.
  template <std::convertible_to<std::string_view> Text>
  AnyMetric(const Text&) : box_(nullptr) {
    static_assert(!std::convertible_to<Text, std::string_view>,
                  "a metric is a struct, not a string: .metrics = {Accuracy{}}");
  }
  template <class M>
  requires(!std::same_as<M, AnyMetric> && !Metric<M> && !WeightedLoss<M> && !PlainLoss<M> &&
           (
               requires { &M::update; } || requires { &M::result; } || requires { &M::operator(); }))
      AnyMetric(const M&)
      : box_(nullptr) {
    static_assert(Metric<M>,
                  "a metric must be copyable and have void reset(), "
                  "void update(ConstView y_true, ConstView y_pred) and double result() const");
  }

  std::string name() const { return box_->name(); }
  void reset() { box_->reset(); }
  /// sample_weight: empty unless the metric takes weights.
  void update(ConstView y_true, ConstView y_pred, ConstView sample_weight = {}) {
    box_->update(y_true, y_pred, sample_weight);
  }
  bool takes_weights() const { return box_->takes_weights(); }
  double result() const { return box_->result(); }
  bool costly() const { return box_->costly(); }
  Direction direction() const { return box_->direction(); }
  /// True if the metric takes logits; false if it takes probabilities. `outputs` is the size of the model's last axis.
  bool reads_logits(Logits logits, Index outputs) const { return box_->reads_logits(logits, outputs); }
  /// Lets `visit` write or read the accumulated values. Returns false if the metric has no `state`.
  bool state(OptionVisitor& visit) { return box_->state(visit); }

  /// The metric itself if it is an M, else null.
  template <class M>
  const M* as() const {
    const auto* box = dynamic_cast<const BoxOf<M>*>(&*box_);
    return box == nullptr ? nullptr : &box->metric;
  }

 private:
  struct Box : detail::Cloneable<Box> {
    virtual std::string name() const = 0;
    virtual void reset() = 0;
    virtual void update(ConstView y_true, ConstView y_pred, ConstView sample_weight) = 0;
    virtual bool takes_weights() const = 0;
    virtual double result() const = 0;
    virtual bool state(OptionVisitor& visit) = 0;
    virtual bool costly() const = 0;
    virtual Direction direction() const = 0;
    virtual bool reads_logits(Logits logits, Index outputs) const = 0;
  };

  template <class M>
  struct BoxOf final : Box {
    static constexpr bool has_weighted_update = requires(M & one, ConstView values) {
      one.update(values, values, values);
    };
    M metric;

    explicit BoxOf(M m) : metric(std::move(m)) {}
    std::unique_ptr<Box> clone() const override { return std::make_unique<BoxOf>(*this); }
    std::string name() const override {
      if constexpr (requires { metric.name(); }) {
        return metric.name();
      } else {
        return detail::snake_case(detail::type_name<M>());
      }
    }
    void reset() override { metric.reset(); }
    void update(ConstView y_true, ConstView y_pred, [[maybe_unused]] ConstView sample_weight) override {
      if constexpr (has_weighted_update) {
        metric.update(y_true, y_pred, sample_weight);
      } else {
        metric.update(y_true, y_pred);
      }
    }
    bool takes_weights() const override { return has_weighted_update; }
    double result() const override { return static_cast<double>(metric.result()); }
    bool state(OptionVisitor& visit) override {
      if constexpr (requires { metric.state(visit); }) {
        metric.state(visit);
        return true;
      } else {
        static_cast<void>(visit);
        return false;
      }
    }
    bool costly() const override {
      if constexpr (requires { metric.costly(); }) {
        return metric.costly();
      } else {
        return false;
      }
    }
    Direction direction() const override {
      if constexpr (requires { Direction(metric.direction); }) {
        return metric.direction;
      } else {
        return Direction::unknown;
      }
    }
    bool reads_logits(Logits logits, [[maybe_unused]] Index outputs) const override {
      if constexpr (requires { metric.reads_logits(logits, outputs); }) {
        return metric.reads_logits(logits, outputs);
      } else if constexpr (requires { metric.reads_logits(logits); }) {
        return metric.reads_logits(logits);
      } else {
        return logits == Logits::margin;
      }
    }
  };

  detail::DeepPtr<Box> box_;
};

}  // namespace cornu
