#include "cornu/models/metrics/mean_iou.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/models/metrics/class_labels.h"

namespace cornu {

namespace {

constexpr const char* mean_iou_name = "mean_io_u";

/// The class of each sample: stored as an index, or as scores whose maximum is at the class.
struct Classes {
  ConstView view;
  Index classes;
  bool sparse;

  /// The shape of the labels.
  Shape shape() const { return sparse ? view.shape() : view.shape().without(-1); }

  void check(const char* what, const char* option) const {
    const Shape& given = view.shape();
    require(sparse || (given.rank() > 0 && given[-1] == classes),
            "{}: {} are {}; with {} = false, (..., {}) is required", mean_iou_name, what, given, option, classes);
  }
  Index at(Index row, const char* what) const {
    return sparse ? detail::class_of_label(mean_iou_name, what, view, row, classes)
                  : position_of_max(view.data() + row * classes, classes);
  }
};

}  // namespace

void MeanIoU::update(ConstView y_true, ConstView y_pred) {
  require<ValueError>(num_classes > 0, "{}: num_classes is {}; it must be at least 1", mean_iou_name, num_classes);
  const Classes truths{y_true, num_classes, sparse_y_true}, predictions{y_pred, num_classes, sparse_y_pred};
  truths.check("labels", "sparse_y_true");
  predictions.check("predictions", "sparse_y_pred");
  const Shape truth = truths.shape(), shape = predictions.shape();
  require(detail::same_but_for_last_1(truth, shape) || detail::same_but_for_last_1(shape, truth),
          "{}: predictions are {} and labels {}; one prediction for each label is required{}", mean_iou_name,
          y_pred.shape(), y_true.shape(), sparse_y_pred ? " (for scores set .sparse_y_pred = false)" : "");
  classes.resize(static_cast<std::size_t>(num_classes));
  for (Index row = 0; row < shape.size(); ++row) {
    // An ignored label may be outside the classes.
    if (ignore_class && sparse_y_true && y_true[row] == static_cast<Real>(*ignore_class)) continue;
    const Index is = truths.at(row, "label"), was_taken_for = predictions.at(row, "prediction");
    if (ignore_class && is == *ignore_class) continue;
    Counts& counts = classes[static_cast<std::size_t>(is)];
    ++counts.truth;
    ++classes[static_cast<std::size_t>(was_taken_for)].prediction;
    counts.both += is == was_taken_for ? 1 : 0;
  }
}

double MeanIoU::result() const {
  double total = 0, occurring = 0;
  for (const Counts& c : classes) {
    const Index either = c.truth + c.prediction - c.both;
    if (either == 0) continue;
    total += static_cast<double>(c.both) / static_cast<double>(either);
    ++occurring;
  }
  return occurring == 0 ? 0 : total / occurring;
}

}  // namespace cornu
