#include "cornu/models/export_cpp/trainer.h"

#include <fmt/format.h>

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/models/export_cpp/gradient_writer.h"
#include "cornu/models/sequential_state.h"
#include "cornu/models/trace.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/sgd.h"

namespace cornu::detail {

namespace {

// ---- Loss ----

struct Loss {
  const char* function;
  std::string sizes;        // template arguments
  std::size_t of = 0;       // the value of the trace that it is a function of
  bool skips_last = false;  // the last op, a softmax, is part of it
  Index target = 0;         // elements of a target
};

Loss loss_of(const AnyLoss& loss, const Trace& trace) {
  const std::size_t output = trace.outputs.front();
  const Shape shape = trace.values[output].at(1);
  if (loss.as<MeanSquaredError>() != nullptr) {
    return {"squared_error", std::to_string(shape.size()), output, false, shape.size()};
  }
  const auto* const sparse = loss.as<SparseCategoricalCrossentropy>();
  const auto* const categorical = loss.as<CategoricalCrossentropy>();
  require<ValueError>(sparse != nullptr || categorical != nullptr,
                      "a trainable header has the losses MeanSquaredError, CategoricalCrossentropy and "
                      "SparseCategoricalCrossentropy");
  require<ValueError>((sparse != nullptr ? sparse->label_smoothing : categorical->label_smoothing) == 0,
                      "a trainable header has no label_smoothing");
  const Index classes = shape[-1], rows = shape.size() / classes;
  Loss result{sparse != nullptr ? "sparse_cross_entropy" : "cross_entropy", fmt::format("{}, {}", rows, classes),
              output, false, sparse != nullptr ? rows : shape.size()};
  if (sparse != nullptr ? sparse->from_logits : categorical->from_logits) return result;
  const Trace::Op* const last = trace.ops.empty() ? nullptr : &trace.ops.back();
  require<ValueError>(
      last != nullptr && last->result == output && last->name == "softmax" && last->integer("axis") == shape.rank() - 1,
      "a cross-entropy in a trainable header requires a softmax over the classes as the last op, or "
      "from_logits");
  result.of = last->operands.front();
  result.skips_last = true;
  return result;
}

/// Throws what train_on_batch throws for a loss that does not suit the output, such as from_logits after a softmax, and
/// for a parameter that is not listed.
void require_suitable(const Sequential& model, const AnyLoss& loss) {
  const Tensor x(model.input_shape()->batched(1));
  Tape tape;
  const Var y = model.forward(tape.samples(x));
  require<ValueError>(!y.is_masked(), "the output has a mask; a trainable header would count masked steps");
  const bool is_sparse = loss.as<SparseCategoricalCrossentropy>() != nullptr;
  const Tensor target(is_sparse ? y.shape().without(-1) : y.shape());
  const Gradients gradients = tape.backward(loss(y, target));
  const auto listed = model.parameters();
  for (const Gradients::Entry& entry : gradients.entries()) {
    require<StateError>(
        std::any_of(listed.begin(), listed.end(), [&](const auto& each) { return each.second == entry.parameter; }),
        "forward reads a Parameter that no layer's parameters() lists; it would not be trained");
  }
}

// ---- Optimizer ----

struct Rule {
  double learning_rate = 0;
  Index slots = 0;
  std::string state{}, reset{}, update{};  // members, their first values, statements of a step
};

template <class R>
void require_plain(const R& rule) {
  require<ValueError>(!rule.learning_rate.is_schedule(), "a trainable header has no schedule of the learning rate");
  require<ValueError>(rule.weight_decay == 0 && rule.clipnorm == 0 && rule.clipvalue == 0 && rule.global_clipnorm == 0,
                      "a trainable header has no weight decay and no clipping");
}

Rule rule_of(const AnyOptimizer& optimizer) {
  const OptimizerExtras& extras = optimizer.extras();
  require<ValueError>(extras.learning_rate_multipliers.empty() && !extras.use_ema,
                      "a trainable header has no averages and no learning rates of their own");
  const auto number = [](const char* name, double value) { return CppProgram::number(name, value); };
  if (const auto* sgd = optimizer.as<SGD>()) {
    require_plain(*sgd);
    Rule rule{sgd->learning_rate.at(0)};
    if (sgd->momentum == 0) {
      rule.update = "    trainer.weights[i] -= trainer.learning_rate * trainer.gradients[i];\n";
      return rule;
    }
    rule.slots = 1;
    const std::string m = number("momentum", sgd->momentum);
    const std::string velocity = fmt::format(
        "    float& v = trainer.slots[i];\n    v = {} * v - trainer.learning_rate * trainer.gradients[i];\n", m);
    rule.update = velocity + (sgd->nesterov ? fmt::format("    trainer.weights[i] += {} * v - trainer.learning_rate * "
                                                          "trainer.gradients[i];\n",
                                                          m)
                                            : "    trainer.weights[i] += v;\n");
    return rule;
  }
  const auto* const adam = optimizer.as<Adam>();
  require<ValueError>(adam != nullptr, "a trainable header has the optimizers SGD and Adam");
  require_plain(*adam);
  require<ValueError>(!adam->amsgrad, "a trainable header has no amsgrad");
  const std::string new_m = number("beta_1", 1 - adam->beta_1), new_v = number("beta_2", 1 - adam->beta_2);
  return {adam->learning_rate.at(0), 2, "  float rest_1, rest_2;  // 1 - beta_1^t, 1 - beta_2^t after t steps\n",
          "  trainer.rest_1 = trainer.rest_2 = 0;\n",
          fmt::format("    float &m = trainer.slots[i], &v = trainer.slots[parameter_count + i];\n"
                      "    const float g = trainer.gradients[i];\n"
                      "    m += {} * (g - m);\n    v += {} * (g * g - v);\n"
                      "    trainer.weights[i] -= rate * m / (std::sqrt(v) + {});\n",
                      new_m, new_v, number("epsilon", adam->epsilon))};
}

/// Statements before the loop over the weights.
std::string before_update(const AnyOptimizer& optimizer) {
  const auto* const adam = optimizer.as<Adam>();
  if (adam == nullptr) return "";
  const auto rest = [](int number, double beta) {
    return fmt::format("  trainer.rest_{0} = {1} + {2} * trainer.rest_{0};\n", number,
                       CppProgram::number("beta", 1 - beta), CppProgram::number("beta", beta));
  };
  return rest(1, adam->beta_1) + rest(2, adam->beta_2) +
         "  const float rate = trainer.learning_rate * std::sqrt(trainer.rest_2) / trainer.rest_1;\n";
}

}  // namespace

CppTrained trained_parameters(const Sequential& model) {
  CppTrained result;
  try {
    require_same_in_training(model);
  } catch (Error& error) {
    error.add_context("trainable");
    throw;
  }
  for (const auto& [name, parameter] : model.parameters()) {
    if (!parameter->learns()) continue;
    require<ValueError>(!parameter->regularizer && !parameter->constraint,
                        "{}: a trainable header has no regularizers and no constraints", name);
    result.offsets[parameter->value.data()] = result.size;
    result.size += parameter->value.size();
  }
  require<ValueError>(result.size > 0, "there is no parameter that learns");
  return result;
}

CppTrainer write_trainer(const Sequential& model, const Trace& trace, CppProgram& program, CppArrays& arrays,
                         const CppTrained& trained) {
  const SequentialState& state = SequentialState::of(model);
  require<ValueError>(state.compiled.has_value(),
                      "a trainable header requires a compiled model: compile says loss and "
                      "optimizer");
  const Loss loss = loss_of(state.compiled->loss, trace);
  require_suitable(model, state.compiled->loss);
  const Rule rule = rule_of(state.compiled->optimizer);

  CppTraceWriter forward(trace, program, arrays, trained);
  const std::span<const Trace::Op> ops = std::span(trace.ops).first(trace.ops.size() - (loss.skips_last ? 1 : 0));
  for (const Trace::Op& op : ops) forward.write(op);
  CppGradientWriter backward(trace, forward);
  require<ValueError>(backward.wants(loss.of), "the output depends on no parameter that learns");
  const CppValue y = forward.output(loss.of);
  const CppValue gradient = backward.start(loss.of);
  program.need(loss.function);
  forward.calls().add({fmt::format("{}<{}>", loss.function, loss.sizes),
                       {y, "target", "scale"},
                       gradient,
                       "",
                       false,
                       "const float loss = "});
  for (std::size_t i = ops.size(); i-- > 0;) backward.write(ops[i]);
  const CppCalls::Body body = forward.calls().body(std::nullopt, "memory");

  Tensor initial(Shape{trained.size});
  std::string places;
  for (const auto& [name, parameter] : model.parameters()) {
    const auto at = trained.offsets.find(parameter->value.data());
    if (at == trained.offsets.end()) continue;
    std::copy(parameter->value.begin(), parameter->value.end(), initial.begin() + at->second);
    places += fmt::format("//   {:<40} {}\n", in_comment(name), at->second);
  }
  const std::string initial_array = program.array("initial", initial);
  const Index scratch = std::max(body.workspace, Index{1});
  const Index bytes = 4 * (trained.size * (2 + rule.slots) + scratch + 1 + (rule.state.empty() ? 0 : 2));

  CppTrainer result;
  result.initial = initial_array;
  result.about = fmt::format("// Trainer: {} bytes, of which {} for a step. Positions in its weights:\n{}", bytes,
                             4 * scratch, places);
  result.declarations = fmt::format(
      "\n// Elements of a target{}, and of all parameters that learn.\n"
      "inline constexpr std::size_t target_size = {}, parameter_count = {};\n\n"
      "// What training changes. All of its memory is here.\n"
      "struct Trainer {{\n  float weights[parameter_count], gradients[parameter_count];\n{}  float memory[{}];\n"
      "  float learning_rate;\n{}}};\n",
      std::string_view(loss.function) == "sparse_cross_entropy" ? ": class indices" : "", loss.target, trained.size,
      rule.slots == 0 ? "" : fmt::format("  float slots[{} * parameter_count];  // of the optimizer\n", rule.slots),
      scratch, rule.state);
  const std::string clear = rule.slots == 0 ? "" : "  for (float& each : trainer.slots) each = 0;\n";
  result.functions = fmt::format(
      "// To be called before the first step.\n"
      "inline void reset(Trainer& trainer) {{\n"
      "  for (std::size_t i = 0; i < parameter_count; ++i) trainer.weights[i] = {}[i];\n{}{}"
      "  trainer.learning_rate = {};\n}}\n\n"
      "namespace detail {{\n\n"
      "// Adds scale times the gradients for a sample, and returns its loss.\n"
      "inline float add_gradients(const float* input, const float* target, float scale, const float* weights, "
      "float* gradients,\n                           float* memory) {{\n{}  return loss;\n}}\n\n"
      "}}  // namespace detail\n\n"
      "// Trains on a batch of samples, and returns the mean of their losses before the step. Changes nothing if that\n"
      "// is not finite, or there are no samples.\n"
      "inline float train_step(const float* input, const float* target, std::size_t count, Trainer& trainer) {{\n"
      "  const float scale = 1.0f / static_cast<float>(count);\n"
      "  float loss = 0;\n"
      "  for (float& each : trainer.gradients) each = 0;\n"
      "  for (std::size_t i = 0; i < count; ++i) {{\n"
      "    loss += scale * detail::add_gradients(input + i * input_size, target + i * target_size, scale, "
      "trainer.weights,\n                                          trainer.gradients, trainer.memory);\n  }}\n"
      "  if (count == 0 || !std::isfinite(loss)) return loss;\n{}"
      "  for (std::size_t i = 0; i < parameter_count; ++i) {{\n{}  }}\n"
      "  return loss;\n}}\n\n"
      "// Trains on one sample.\n"
      "inline float train_step(const float* input, const float* target, Trainer& trainer) {{\n"
      "  return train_step(input, target, 1, trainer);\n}}\n",
      initial_array, clear, rule.reset, CppProgram::number("learning_rate", rule.learning_rate), body.text,
      before_update(state.compiled->optimizer), rule.update);
  return result;
}

}  // namespace cornu::detail
