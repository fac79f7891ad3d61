#pragma once

#include <concepts>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/deep_ptr.h"
#include "cornu/core/direction.h"

/// Loss functions, which return a scalar for the backward pass. Each is a function, and a struct with its options for
/// Sequential::compile. Targets and weights are read in place, not copied: they must outlive the pass.
/// Every loss is the mean over the samples (and over any further axes that have one loss per element). With weights it
/// is sum(weight * loss) / number of losses, as in Keras.
namespace cornu {

struct CategoricalOptions {
  bool from_logits = false;    ///< y_pred are logits, not probabilities
  double label_smoothing = 0;  ///< s in [0, 1]: the target becomes (1 - s) target + s / classes
  /// One weight per sample, (batch), or per loss: the shape of the losses or of their first axes. Empty: no weights.
  ConstView sample_weight{};
};

/// Mean cross-entropy of a distribution over classes against class indices.
/// y_pred: (batch, ..., classes), probabilities unless from_logits. y_true: (batch, ...), whole numbers below classes;
/// a last axis of 1 is allowed. Returns a scalar.
/// Computed from logits x if they are known (from_logits, or y_pred is a softmax over the last axis on the same tape):
/// log sum exp(x) - x[label], with gradient (softmax - onehot) / batch; Bishop 2006, eq. 4.109. Other probabilities are
/// divided by their sum and clipped to [1e-7, 1 - 1e-7] first. Throws ShapeError if the shapes do not match, ValueError
/// for a label out of range, naming row and label.
Var sparse_categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options = {});

/// The same against distributions: y_true has y_pred's shape and is one-hot or has any non-negative class weights.
Var categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options = {});

struct BinaryOptions {
  bool from_logits = false;
  double label_smoothing = 0;  ///< s in [0, 1]: the target becomes (1 - s) target + s / 2
  ConstView sample_weight{};
};

/// Mean over all elements of -(y log p + (1 - y) log(1 - p)), for independent binary labels.
/// y_pred: (batch, ...), probabilities unless from_logits. y_true: the same shape; a last axis of 1 may be missing.
/// Computed from logits z if they are known (from_logits, or y_pred is a sigmoid on the same tape):
/// max(z, 0) - z y + log(1 + e^-|z|), with gradient (sigmoid(z) - y) / size. Other probabilities are clipped as above.
Var binary_crossentropy(Var y_pred, ConstView y_true, const BinaryOptions& options = {});

struct RegressionOptions {
  ConstView sample_weight{};
};

/// Mean of (y_pred - y_true)^2 over all elements. y_pred: (batch, ...). y_true: the same shape; a last axis of 1 may be
/// missing.
Var mean_squared_error(Var y_pred, ConstView y_true, const RegressionOptions& options = {});

/// The same on tensors, without a tape; each returns a scalar.
Tensor sparse_categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options = {});
Tensor categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options = {});
Tensor binary_crossentropy(const Tensor& y_pred, ConstView y_true, const BinaryOptions& options = {});
Tensor mean_squared_error(const Tensor& y_pred, ConstView y_true, const RegressionOptions& options = {});

/// The function that turns y_pred into probabilities, for a loss that takes logits; `none` for other losses.
/// `margin` (Hinge): y_pred is not a logit, but its sign is the class. Metrics with a threshold are given its sigmoid,
/// other metrics the margin.
enum class Logits { none, sigmoid, softmax, margin };

namespace detail {

/// The options of every cross-entropy; the focal ones have more.
template <class L>
void visit_crossentropy_options(L& loss, auto& visit) {
  visit("from_logits", loss.from_logits);
  visit("label_smoothing", loss.label_smoothing);
}

}  // namespace detail

struct SparseCategoricalCrossentropy {
  static constexpr Direction direction = Direction::down;
  static constexpr bool is_mean_over_samples = true;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) { detail::visit_crossentropy_options(*this, visit); }
  Logits logits() const { return from_logits ? Logits::softmax : Logits::none; }
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const;
};

struct CategoricalCrossentropy {
  static constexpr Direction direction = Direction::down;
  static constexpr bool rows_are_classes = true;
  static constexpr bool is_mean_over_samples = true;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) { detail::visit_crossentropy_options(*this, visit); }
  Logits logits() const { return from_logits ? Logits::softmax : Logits::none; }
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const;
};

struct BinaryCrossentropy {
  static constexpr Direction direction = Direction::down;
  static constexpr bool is_mean_over_samples = true;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) { detail::visit_crossentropy_options(*this, visit); }
  Logits logits() const { return from_logits ? Logits::sigmoid : Logits::none; }
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const;
};

struct MeanSquaredError {
  static constexpr Direction direction = Direction::down;
  static constexpr bool is_mean_over_samples = true;
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const;
};

/// A loss is any callable of one of these forms:
///   Var (Var y_pred, ConstView y_true, ConstView sample_weight)   a scalar; empty weights mean none
///   Var (Var y_pred, Var y_true)                                  a scalar, or one loss per sample: (batch, ...)
/// The second form reads like a formula: `[](Var p, Var y) { return mean(abs(p - y), -1); }`. If y_true and y_pred
/// differ only in a last axis of 1, y_true is reshaped, because (batch, 1) minus (batch) would broadcast to (batch,
/// batch). Sample weights are applied to the returned losses; a loss that returns a scalar cannot be weighted. Optional
/// members:
///   Logits logits() const                               the function that turns the logits the loss takes into
///                                                       probabilities, for metrics and predict_classes
///   static constexpr bool checks_truth = true           second form, if it throws for invalid targets, such as labels
///                                                       below 0: targets of weight 0, such as padding of -1, are
///                                                       replaced by 1
///   static constexpr bool is_mean_over_samples = true   first form, if it returns the mean of the samples' losses:
///                                                       allows threads to process shards of a batch
///   static constexpr Direction direction = Direction::down
///                                                       as a metric, smaller values are better; Direction::up if
///                                                       larger
///   static constexpr bool is_negated_as_metric = true   as a metric it has the opposite sign
///   static constexpr bool rows_are_classes = true       each row of the targets is one sample's distribution over the
///                                                       classes; the class weight is that of the row's largest
///                                                       element
/// A loss of the second form that returns one loss per sample can be sharded, too. Other losses get the whole batch.
template <class L>
concept WeightedLoss = std::copy_constructible<L> && std::is_invocable_r_v<Var, const L&, Var, ConstView, ConstView>;
template <class L>
concept PlainLoss = std::copy_constructible<L> && std::is_invocable_r_v<Var, const L&, Var, Var>;

namespace detail {
ConstView in_shape_of(Var y_pred, ConstView y_true);
/// y_true with 1 in place of the targets of weight 0.
ConstView without_padding(Var y_pred, ConstView y_true, ConstView sample_weight);
Var reduce_plain_loss(Var losses, ConstView sample_weight);
/// Returns the loss and restores the tape's flag mixes_samples: the mean over samples mixes them, but may be sharded.
Var mean_over_samples(Var loss, bool mixed_before);
}  // namespace detail

/// Any loss, held by value. A moved-from AnyLoss can be assigned to or destroyed; any other use throws StateError.
class AnyLoss {
 public:
  template <class L>
  requires(!std::same_as<L, AnyLoss> && (WeightedLoss<L> || PlainLoss<L>)) AnyLoss(L loss)
      : box_(std::make_shared<const BoxOf<L>>(std::move(loss))) {}

  // Accepts invalid types, so that a static_assert can say what is missing.
  template <std::convertible_to<std::string_view> Text>
  AnyLoss(const Text&) {
    static_assert(!std::convertible_to<Text, std::string_view>,
                  "a loss is a struct, not a string: .loss = MeanSquaredError{}");
  }
  template <class L>
  requires(!std::same_as<L, AnyLoss> && !WeightedLoss<L> && !PlainLoss<L> && requires { &L::operator(); })
      AnyLoss(const L&) {
    static_assert(WeightedLoss<L> || PlainLoss<L>,
                  "a loss must be copyable, and callable while const, as Var (Var y_pred, Var y_true) or "
                  "Var (Var y_pred, ConstView y_true, ConstView sample_weight)");
  }

  /// The loss itself if it is an L, else null.
  template <class L>
  const L* as() const {
    const auto* box = dynamic_cast<const BoxOf<L>*>(&detail::held_by(box_));
    return box == nullptr ? nullptr : &box->loss;
  }

  /// The function that turns y_pred into probabilities.
  Logits logits() const { return detail::held_by(box_).logits(); }

  // What the struct declares.
  Direction direction() const { return detail::held_by(box_).direction(); }
  bool is_negated_as_metric() const { return detail::held_by(box_).is_negated_as_metric(); }
  bool rows_are_classes() const { return detail::held_by(box_).rows_are_classes(); }

  /// y_pred: (batch, ...). y_true: as the loss requires. sample_weight: (batch), or the shape of the losses or of their
  /// first axes; empty for none. Returns a scalar.
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const {
    return detail::held_by(box_).call(y_pred, y_true, sample_weight);
  }

 private:
  struct Box : detail::Polymorphic {
    virtual Var call(Var y_pred, ConstView y_true, ConstView sample_weight) const = 0;
    virtual Logits logits() const = 0;
    virtual Direction direction() const = 0;
    virtual bool is_negated_as_metric() const = 0;
    virtual bool rows_are_classes() const = 0;
  };

  template <class L>
  struct BoxOf final : Box {
    L loss;

    explicit BoxOf(L l) : loss(std::move(l)) {}
    Var call(Var y_pred, ConstView y_true, ConstView sample_weight) const override {
      if constexpr (requires { requires L::is_mean_over_samples; }) {
        const bool mixed = y_pred.tape().mixes_samples();
        return detail::mean_over_samples(loss(y_pred, y_true, sample_weight), mixed);
      } else if constexpr (WeightedLoss<L>) {
        return loss(y_pred, y_true, sample_weight);
      } else {
        ConstView truth = detail::in_shape_of(y_pred, y_true);
        if constexpr (requires { requires L::checks_truth; }) {
          truth = detail::without_padding(y_pred, truth, sample_weight);
        }
        return detail::reduce_plain_loss(loss(y_pred, y_pred.tape().input(truth)), sample_weight);
      }
    }
    Logits logits() const override {
      if constexpr (requires { loss.logits(); }) {
        return loss.logits();
      } else {
        static_assert(
            !requires { loss.from_logits; },
            "a loss with the option from_logits must say which function turns its logits into probabilities: "
            "Logits logits() const");
        return Logits::none;
      }
    }
    Direction direction() const override {
      if constexpr (requires { Direction(L::direction); }) {
        return L::direction;
      } else {
        return Direction::unknown;
      }
    }
    bool is_negated_as_metric() const override {
      return requires { requires L::is_negated_as_metric; };
    }
    bool rows_are_classes() const override {
      return requires { requires L::rows_are_classes; };
    }
  };

  std::shared_ptr<const Box> box_;  // never changed, so that copies may share it
};

}  // namespace cornu
