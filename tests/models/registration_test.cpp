#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>

#include "cornu/cornu.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/temporary_folder.h"

// A user's optimizer, loss, metric, schedule and initializers in a file and back.

namespace cornu {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

/// Gradient descent by the sign of the gradient.
struct SignDescent {
  LearningRate learning_rate = 0.01;
  double scale = 1;
  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("scale", scale);
  }
  Index slot_count() const { return 0; }
  void update(View parameter, ConstView gradient, std::span<const View>, const Step& step) const {
    for (Index i = 0; i < parameter.size(); ++i) {
      const Real sign = gradient[i] > 0 ? 1 : gradient[i] < 0 ? -1 : 0;
      parameter[i] -= static_cast<Real>(step.learning_rate * scale) * sign;
    }
  }
};

/// Halves the rate at every step.
struct Halving {
  double initial = 1;
  void options(auto& visit) { visit("initial", initial); }
  double operator()(Index step) const { return initial / static_cast<double>(Index{1} << std::min<Index>(step, 40)); }
};

/// Positive errors count `weight` times as much as negative ones.
struct Lopsided {
  double weight = 1;
  void options(auto& visit) { visit("weight", weight); }
  Var operator()(Var p, Var y) const { return mean(relu(p - y) * weight + relu(y - p), -1); }
};

struct LargestError {
  double power = 1, largest = 0;
  static constexpr Direction direction = Direction::down;
  void options(auto& visit) { visit("power", power); }
  void reset() { largest = 0; }
  void update(ConstView y_true, ConstView y_pred) {
    for (Index i = 0; i < y_pred.size(); ++i) {
      largest = std::max(largest, std::pow(std::abs(static_cast<double>(y_true[i] - y_pred[i])), power));
    }
  }
  double result() const { return largest; }
};

struct Alternating {
  double value = 1;
  void options(auto& visit) { visit("value", value); }
  void operator()(View out, Rng&) const {
    for (Index i = 0; i < out.size(); ++i) out[i] = static_cast<Real>(i % 2 == 0 ? value : -value);
  }
};

void all_sevens(View out, Rng&) {
  for (Real& x : out) x = 7;
}

Sequential model_of_own_parts() {
  Sequential model{Input{2},
                   Dense{.units = 3, .kernel_initializer = Alternating{0.25}, .bias_initializer = all_sevens}};
  model.compile({.optimizer = SignDescent{.learning_rate = Halving{0.5}, .scale = 2},
                 .loss = Lopsided{.weight = 3},
                 .metrics = {LargestError{.power = 2}}});
  return model;
}

TEST(Registration, IsRequiredForSavingAndSufficientForLoading) {
  const TemporaryFolder folder;
  Sequential model = model_of_own_parts();
  const std::string path = folder / "m";
  const auto refusal = [&] { return error_of<ValueError>([&] { model.save(path); }); };
  const auto expect_asks_for = [&](const std::string& call) {
    const std::string error = refusal();
    EXPECT_NE(error.find(call), std::string::npos) << error;
    EXPECT_TRUE(folder.names().empty());
  };
  expect_asks_for("an initializer of a type that is not registered");
  register_initializer<Alternating>();
  expect_asks_for("register_initializer(\"name\", function) gives it one");
  register_initializer("all_sevens", all_sevens);
  expect_asks_for("register_optimizer<TheType>() registers it");
  register_optimizer<SignDescent>();
  expect_asks_for("register_schedule<TheType>() registers it");
  register_schedule<Halving>("halving");
  expect_asks_for("register_loss<TheType>() registers it");
  register_loss<Lopsided>();
  expect_asks_for("register_metric<TheType>() registers it");
  register_metric<LargestError>();
  model.save(path);

  Sequential loaded = Sequential::load(path);
  const Tensor x = testing::normal({8, 2}), y = testing::normal({8, 3}, 6);
  for (int step = 0; step < 4; ++step) {
    const Logs a = model.train_on_batch(x, y), b = loaded.train_on_batch(x, y);
    EXPECT_EQ(a["loss"], b["loss"]);
    EXPECT_EQ(a["largest_error"], b["largest_error"]);
    EXPECT_EQ(model.get_weights(), loaded.get_weights());
    EXPECT_EQ(loaded.optimizer().learning_rate(), model.optimizer().learning_rate());
  }
  EXPECT_NE(model.get_weights(), model_of_own_parts().get_weights());
  // A model that is rebuilt uses the initializers named in the file.
  reset_parameters(loaded);
  loaded.build({2});
  EXPECT_EQ(loaded.get_weights()[0], Tensor({2, 3}, {0.25, -0.25, 0.25, -0.25, 0.25, -0.25}));
  EXPECT_EQ(loaded.get_weights()[1], Tensor::vector({7, 7, 7}));
}

struct OtherMetric : LargestError {};
struct OtherLoss : Lopsided {};
struct OtherRule : SignDescent {};
struct OtherSchedule : Halving {};
struct OtherInitializer : Alternating {};

TEST(Registration, ANameBelongsToOneType) {
  EXPECT_EQ(error_of<ValueError>([] { register_metric<OtherMetric>("Accuracy"); }),
            "register_metric: cannot add \"Accuracy\": \"Accuracy\" is registered already (a metric has one name, and "
            "each name belongs to one metric)");
  EXPECT_EQ(error_of<ValueError>([] { register_loss<OtherLoss>("Hinge"); }),
            "register_loss: cannot add \"Hinge\": \"Hinge\" is registered already (a loss has one name, and each name "
            "belongs to one loss)");
  EXPECT_EQ(error_of<ValueError>([] { register_optimizer<OtherRule>("SGD"); }),
            "register_optimizer: cannot add \"SGD\": \"SGD\" is registered already (an optimizer has one name, and "
            "each name belongs to one optimizer)");
  EXPECT_EQ(error_of<ValueError>([] { register_schedule<OtherSchedule>("OneCycle"); }),
            "register_schedule: cannot add \"OneCycle\": \"OneCycle\" is registered already (a schedule has one name, "
            "and each name belongs to one schedule)");
  EXPECT_THROW(register_initializer("zeros", all_sevens), ValueError);
  EXPECT_NO_THROW(register_initializer<OtherInitializer>("mine"));
  EXPECT_NO_THROW(register_initializer<OtherInitializer>("mine"));
}

// ---- Public headers ----

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The headers that are installed: cornu.h and all headers it includes, directly or indirectly.
std::set<std::string> public_headers() {
  std::set<std::string> found;
  std::vector<std::string> left{"cornu.h", "core/kernels/kernels.h", "onnx/model.h", "onnx/save.h"};
  const std::regex include("\n#include \"cornu/([^\"]+)\"");
  while (!left.empty()) {
    const std::string header = left.back();
    left.pop_back();
    if (!found.insert(header).second) continue;
    const std::string text = text_of(testing::source_path(header));
    EXPECT_FALSE(text.empty()) << header;
    for (std::sregex_iterator match(text.begin(), text.end(), include), end; match != end; ++match) {
      left.push_back((*match)[1]);
    }
  }
  return found;
}

TEST(PublicHeaders, EveryRegistrationIsCalledByATest) {
  std::set<std::string> calls;
  const std::regex declaration("\nvoid (register_[a-z_]+)\\(|> void (register_[a-z_]+)\\(");
  for (const std::string& header : public_headers()) {
    const std::string text = text_of(testing::source_path(header));
    for (std::sregex_iterator match(text.begin(), text.end(), declaration), end; match != end; ++match) {
      calls.insert((*match)[1].matched ? (*match)[1] : (*match)[2]);
    }
  }
  EXPECT_GE(calls.size(), 7U);
  std::string tests;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(testing::source_path("tests/models"))) {
    if (entry.path().extension() == ".cpp") tests += text_of(entry.path());
  }
  for (const std::string& call : calls) {
    // In a statement, not in a string literal.
    EXPECT_TRUE(std::regex_search(tests, std::regex("[ {]" + call + "(<[A-Za-z:]+>)?\\([^)]*\\);"))) << call;
  }
}

TEST(PublicHeaders, HaveNoPublicMembersWithTypesThatAreNotInstalled) {
  const std::set<std::string> headers = public_headers();
  std::set<std::string> defined, declared;
  const std::regex definition("(?:struct|class) ([A-Z][A-Za-z0-9]*)(?: final)?(?: : [^;{]*)? \\{");
  const std::regex forward("\n(?:struct|class) ([A-Z][A-Za-z0-9]*);");
  std::map<std::string, std::string> texts;
  for (const std::string& header : headers) {
    const std::string text = texts[header] = text_of(testing::source_path(header));
    for (std::sregex_iterator match(text.begin(), text.end(), definition), end; match != end; ++match) {
      defined.insert((*match)[1]);
    }
    for (std::sregex_iterator match(text.begin(), text.end(), forward), end; match != end; ++match) {
      declared.insert((*match)[1]);
    }
  }
  EXPECT_GT(defined.size(), 100U);
  for (const std::string& type : declared) {
    if (defined.contains(type)) continue;
    // A public member of a struct or class, `Type* name` or `f(Type& x)`, at the first level of indentation.
    const std::regex use("  [^ /].*\\b" + type + "[*&].*");
    for (const auto& [header, text] : texts) {
      bool is_private = false;
      std::istringstream lines(text);
      for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("class ") || line.starts_with("struct ")) is_private = false;
        if (line == " private:") is_private = true;
        if (is_private || line.starts_with("  friend ")) continue;
        EXPECT_FALSE(std::regex_match(line, use)) << header << ": " << type << ": " << line;
      }
    }
  }
}

}  // namespace
}  // namespace cornu
