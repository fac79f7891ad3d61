#pragma once

#include <concepts>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/tape.h"

/// Losses: how far predictions are from the truth, as one number to go backward from. Each is a function, and a struct
/// with its options for Sequential::compile. The truth and the weights are data, read where they are: they must outlive
/// the pass. All are means over the samples (and over what else has a loss of its own); with weights, the sum of weight
/// x loss over the number of samples, as Keras has it.
namespace cornu {

struct CategoricalOptions {
  bool from_logits = false;    ///< y_pred are logits, not probabilities
  double label_smoothing = 0;  ///< in [0, 1]: the truth becomes (1 - s) truth + s / classes
  /// One for each sample, (batch), or for each loss: the shape of the losses, or of its first axes. Or none.
  ConstView sample_weight{};
};

/// Mean cross-entropy of a distribution over classes against class indices.
/// y_pred: (batch, ..., classes), probabilities unless from_logits. y_true: (batch, ...), whole numbers below classes;
/// a last axis of 1 is allowed. Returns a scalar.
/// Computed from logits where they are known (from_logits, or y_pred is a softmax over the last axis of the same tape):
/// log sum exp(x) - x[label], with the gradient (softmax - onehot) / batch; Bishop 2006, eq. 4.109. Other probabilities
/// are divided by their sum and clipped to [1e-7, 1 - 1e-7] first. Throws ShapeError if the shapes differ, ValueError
/// for a label out of range, naming row and label.
Var sparse_categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options = {});

/// The same against distributions: y_true has y_pred's shape, one-hot or any other weights of the classes.
Var categorical_crossentropy(Var y_pred, ConstView y_true, const CategoricalOptions& options = {});

struct BinaryOptions {
  bool from_logits = false;
  double label_smoothing = 0;  ///< in [0, 1]: the truth becomes (1 - s) truth + s / 2
  ConstView sample_weight{};
};

/// Mean over all numbers of -(y log p + (1 - y) log(1 - p)): independent yes-or-no questions.
/// y_pred: (batch, ...), probabilities unless from_logits; y_true the same shape, a last axis of 1 may be missing.
/// Computed from logits z where they are known (from_logits, or y_pred is a sigmoid of the same tape):
/// max(z, 0) - z y + log(1 + e^-|z|), with the gradient sigmoid(z) - y. Other probabilities are clipped as above.
Var binary_crossentropy(Var y_pred, ConstView y_true, const BinaryOptions& options = {});

struct RegressionOptions {
  ConstView sample_weight{};
};

/// Mean of (y_pred - y_true)^2 over all numbers. y_pred: (batch, ...); y_true the same shape, a last axis of 1 may be
/// missing.
Var mean_squared_error(Var y_pred, ConstView y_true, const RegressionOptions& options = {});

/// The same on tensors, without a tape; each returns a scalar.
Tensor sparse_categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options = {});
Tensor categorical_crossentropy(const Tensor& y_pred, ConstView y_true, const CategoricalOptions& options = {});
Tensor binary_crossentropy(const Tensor& y_pred, ConstView y_true, const BinaryOptions& options = {});
Tensor mean_squared_error(const Tensor& y_pred, ConstView y_true, const RegressionOptions& options = {});

/// What turns y_pred into probabilities, for a loss that takes logits; `none` for any other loss. A margin is no logit,
/// but its sign is the class: metrics that compare with a threshold see its sigmoid, others the margin.
enum class Logits { none, sigmoid, softmax, margin };

struct SparseCategoricalCrossentropy {
  static constexpr bool is_mean_over_samples = true;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) {
    visit("from_logits", from_logits);
    visit("label_smoothing", label_smoothing);
  }
  Logits logits() const { return from_logits ? Logits::softmax : Logits::none; }
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const;
};

struct CategoricalCrossentropy {
  static constexpr bool is_mean_over_samples = true;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) {
    visit("from_logits", from_logits);
    visit("label_smoothing", label_smoothing);
  }
  Logits logits() const { return from_logits ? Logits::softmax : Logits::none; }
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const;
};

struct BinaryCrossentropy {
  static constexpr bool is_mean_over_samples = true;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) {
    visit("from_logits", from_logits);
    visit("label_smoothing", label_smoothing);
  }
  Logits logits() const { return from_logits ? Logits::sigmoid : Logits::none; }
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const;
};

struct MeanSquaredError {
  static constexpr bool is_mean_over_samples = true;
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const;
};

/// A loss is anything that can be called as one of these:
///   Var (Var y_pred, ConstView y_true, ConstView sample_weight)   a scalar; empty weights are none
///   Var (Var y_pred, Var y_true)                                  a scalar, or one loss a sample: (batch, ...)
/// The second form reads like a formula: `[](Var p, Var y) { return mean(abs(p - y), -1); }`. It gets y_true in the
/// shape of y_pred where the two differ only in a last axis of 1: (batch, 1) minus (batch) would be (batch, batch).
/// Weights are applied to the losses of the samples; if it returns a scalar there can be none.
/// A loss that takes logits says what turns them into probabilities, by `Logits logits() const`: metrics and
/// predict_classes then work on the probabilities.
/// One of the second form that refuses truths which it cannot take, such as labels below 0, may say
/// `static constexpr bool checks_truth = true`: what has weight 0, perhaps padding of -1, then comes as 1.
/// A batch can be gone through in parts, by several threads, where its loss is the mean of its samples' losses. That is
/// so where the second form returns one loss a sample; the first form has to say so, by a member
/// `static constexpr bool is_mean_over_samples = true`. Any other loss is taken of the whole batch at once.
template <class L>
concept WeightedLoss = std::copy_constructible<L> && std::is_invocable_r_v<Var, const L&, Var, ConstView, ConstView>;
template <class L>
concept PlainLoss = std::copy_constructible<L> && std::is_invocable_r_v<Var, const L&, Var, Var>;

namespace detail {
ConstView in_shape_of(Var y_pred, ConstView y_true);
/// y_true with 1 in the place of what has weight 0.
ConstView without_padding(Var y_pred, ConstView y_true, ConstView sample_weight);
Var reduce_plain_loss(Var losses, ConstView sample_weight);
/// Takes back that the loss has mixed the samples of the pass: it is their mean.
Var mean_over_samples(Var loss, bool mixed_before);
}  // namespace detail

/// Any loss, held by value. One that was moved from can be assigned to or destroyed; any other use throws StateError.
class AnyLoss {
 public:
  template <class L>
  requires(!std::same_as<L, AnyLoss> && (WeightedLoss<L> || PlainLoss<L>)) AnyLoss(L loss)
      : box_(std::make_shared<const BoxOf<L>>(std::move(loss))) {}

  // What is nearly a loss: it is accepted, and then refused by a static_assert that says why.
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

  /// What turns the y_pred that it takes into probabilities.
  Logits logits() const { return detail::held_by(box_).logits(); }

  /// y_pred: (batch, ...), y_true as the loss wants it, sample_weight: (batch) or the shape of the losses, or of its
  /// first axes; empty for none. Returns a scalar.
  Var operator()(Var y_pred, ConstView y_true, ConstView sample_weight = {}) const {
    return detail::held_by(box_).call(y_pred, y_true, sample_weight);
  }

 private:
  struct Box {
    Box() = default;
    Box(const Box&) = delete;
    Box& operator=(const Box&) = delete;
    virtual ~Box() = default;
    virtual Var call(Var y_pred, ConstView y_true, ConstView sample_weight) const = 0;
    virtual Logits logits() const = 0;
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
            "a loss with the option from_logits says what turns its logits into probabilities: "
            "Logits logits() const");
        return Logits::none;
      }
    }
  };

  std::shared_ptr<const Box> box_;  // never changed, so that copies may share it
};

}  // namespace cornu
