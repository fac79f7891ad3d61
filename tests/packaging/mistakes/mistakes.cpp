// Mistakes that must not compile. mistakes.sh compiles this file and checks the messages: each "// error:" must be part
// of the message for the line after it, each "// some error:" part of any message (g++ names no line of this file for
// what it finds in virtual functions).
#include <cornu/cornu.h>

#include <memory>

using namespace cornu;

struct NotConst {
  Var forward(Var x) { return x; }
};
struct FinalNotConst final {
  Var forward(Var x) { return x; }
};
struct ReturnsNothing {
  void forward(Var) const {}
};
class Private {
  Var forward(Var x) const { return x; }
};
struct OfTensors {
  Tensor forward(const Tensor& x) const { return x; }
};
struct NotCopyable {
  std::unique_ptr<int> owned;
  Var forward(Var x) const { return x; }
};
struct NotConstAndNamed {
  Var forward(Var x) { return x; }
};
struct NotConstAndChecked {
  Var forward(Var x) { return x; }
};
Var twice(Var x) { return x * 2; }

struct Same {
  Var forward(Var x) const { return x; }
};
struct BuildsWithoutRng : Same {
  Shape build(const Shape& input) { return input; }
};
struct LayersOfAnArgument : Same {
  NamedLayers layers(int) { return {}; }
};
struct ParametersOfAnArgument : Same {
  NamedParameters parameters(int) { return {}; }
};
struct InputShapeNotConst : Same {
  std::optional<Shape> input_shape() { return Shape{3}; }
};
struct TraitsOfAnotherType : Same {
  static constexpr int traits = 1;
};
struct LastStepNotConst : Same {
  bool returns_last_step() { return true; }
};
struct PyTorchWithoutModule : Same {
  void pytorch() {}
};
struct PyTorchModulesNotConst : Same {
  Index pytorch_modules() { return 2; }
};

struct RuleWithoutSlots {
  double learning_rate = 1;
  void update(View, ConstView) const {}
};
struct MetricThatChanges {
  void reset() {}
  void update(ConstView, ConstView) {}
  double result() { return 0; }
};

struct Misspelt {
  void on_train_begin(Run&, Logs&) {}
  void on_epoch_ends(Run&, Index, Logs&) {}
};
struct OldName {
  void on_batch_end(Run&, Index, Logs&) {}
  void on_train_end(Run&, Logs&) {}
};
struct NoHook {
  void after_epoch(Run&, Index, Logs&) {}
};

void layers() {
  // error: a layer's forward must be const: Var forward(Var x) const
  Sequential a{Input{4}, Dense{8}, NotConst{}};
  // error: a layer's forward must be const: Var forward(Var x) const
  Sequential b{Input{4}, FinalNotConst{}};
  // error: a layer's forward must be const: Var forward(Var x) const
  Sequential c{Input{4}, {"mine", NotConstAndNamed{}}};
  // error: a layer's forward must return a Var: Var forward(Var x) const
  Sequential d{Input{4}, ReturnsNothing{}};
  // error: a layer's forward must be public and take one to eight Vars: Var forward(Var x) const
  Sequential e{Input{4}, Private{}};
  // error: a layer's forward must be public and take one to eight Vars: Var forward(Var x) const
  Residual f{OfTensors{}};
  // error: a layer must be copyable
  AnyLayer g = NotCopyable{};
  // error: a layer is a struct such as Dense{10}, not a string
  Sequential h{Input{4}, "dense"};
  // error: a function is not a layer: use Activation{f}
  Sequential i{Input{4}, twice};
  // error: an activation is a function, not a string: relu
  Sequential j{Input{4}, Dense{3, "relu"}};
  // error: a layer's forward must be const: Var forward(Var x) const
  check_layer(NotConstAndChecked{}, {3});
}

void members_of_layers() {
  // some error: a layer's build must be: Shape build(const Shape& input, Rng& rng)
  AnyLayer a = BuildsWithoutRng{};
  // some error: a layer's layers must be: NamedLayers layers()
  AnyLayer b = LayersOfAnArgument{};
  // some error: a layer's parameters must be: NamedParameters parameters()
  AnyLayer c = ParametersOfAnArgument{};
  // some error: a layer's input_shape must be: std::optional<Shape> input_shape() const
  AnyLayer d = InputShapeNotConst{};
  // some error: a layer's traits must be: static constexpr LayerTraits traits{...}
  AnyLayer e = TraitsOfAnotherType{};
  // some error: a layer's returns_last_step must be: bool returns_last_step() const
  AnyLayer f = LastStepNotConst{};
  // some error: a layer's pytorch must be: void pytorch(PyTorchModule& module)
  AnyLayer g = PyTorchWithoutModule{};
  // some error: a layer's pytorch_modules must be: Index pytorch_modules() const
  AnyLayer h = PyTorchModulesNotConst{};
}

void training(Sequential& model) {
  // error: a loss is a struct, not a string: .loss = MeanSquaredError{}
  model.compile({.loss = "mse"});
  // error: a loss must be copyable, and callable while const
  model.compile({.loss = [](Tensor p, Tensor) { return p; }});
  // error: an optimizer is a struct, not a string: .optimizer = Adam{}
  model.compile({.optimizer = "adam", .loss = MeanSquaredError{}});
  // error: an optimizer's rule must be copyable and have LearningRate learning_rate, Index slot_count() const
  model.compile({.optimizer = RuleWithoutSlots{}, .loss = MeanSquaredError{}});
  // error: a metric is a struct, not a string: .metrics = {Accuracy{}}
  model.compile({.loss = MeanSquaredError{}, .metrics = {"accuracy"}});
  // error: a metric must be copyable and have void reset()
  model.compile({.loss = MeanSquaredError{}, .metrics = {MetricThatChanges{}}});
}

void callbacks(OldName& named) {
  // error: this callback has a function that is never called: the hook is on_epoch_end
  FitOptions a{.callbacks = {Misspelt{}}};
  // error: this callback has a function that is never called: the hook is on_train_batch_end
  FitOptions b{.callbacks = {&named}};
  // error: this is not a callback: a callback has at least one hook
  FitOptions c{.callbacks = {NoHook{}}};
  // error: this is not a callback: a callback has at least one hook
  FitOptions d{.callbacks = {"early_stopping"}};
  // error: this is not a callback: a callback has at least one hook
  FitOptions e{.callbacks = {[](Run&, Index, Logs&) {}}};
}

int main() {}
