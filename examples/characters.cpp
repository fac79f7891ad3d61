// A small causal transformer learns to continue a text, character by character. It is trained on windows of the text,
// and writes through a Stream, which remembers the keys and values of the characters so far.
#include <cornu/cornu.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

using namespace cornu;

/// Lewis Carroll, Jabberwocky (1871).
constexpr const char* poem = R"('Twas brillig, and the slithy toves
Did gyre and gimble in the wabe;
All mimsy were the borogoves,
And the mome raths outgrabe.

"Beware the Jabberwock, my son!
The jaws that bite, the claws that catch!
Beware the Jubjub bird, and shun
The frumious Bandersnatch!"

He took his vorpal sword in hand:
Long time the manxome foe he sought --
So rested he by the Tumtum tree,
And stood awhile in thought.

And as in uffish thought he stood,
The Jabberwock, with eyes of flame,
Came whiffling through the tulgey wood,
And burbled as it came!

One, two! One, two! And through and through
The vorpal blade went snicker-snack!
He left it dead, and with its head
He went galumphing back.

"And hast thou slain the Jabberwock?
Come to my arms, my beamish boy!
O frabjous day! Callooh! Callay!"
He chortled in his joy.

'Twas brillig, and the slithy toves
Did gyre and gimble in the wabe;
All mimsy were the borogoves,
And the mome raths outgrabe.
)";

constexpr Index steps = 48;  // characters in a window

/// Convolutions say where a character is among its neighbours; attention finds earlier ones. No layer depends on the
/// position in the text, so that the model can write on without an end.
Sequential transformer(Index characters) {
  constexpr Index features = 48;
  Sequential model{Input{steps}, Embedding{characters, features}};
  for (int block = 0; block < 2; ++block) {
    model.add(Residual{LayerNormalization{},
                       Conv1D{.filters = features, .kernel_size = 4, .padding = Padding::causal, .activation = gelu}});
    model.add(
        Residual{LayerNormalization{}, MultiHeadAttention{.num_heads = 4, .key_dim = 12, .use_causal_mask = true}});
    model.add(Residual{LayerNormalization{}, Dense{2 * features, gelu}, Dense{features}});
  }
  model.add(LayerNormalization{});
  model.add(Dense{characters});
  return model;
}

/// Draws a character: the lower the temperature, the likelier is the most probable one.
Index drawn(std::span<const Real> logits, double temperature, Rng& rng) {
  std::vector<double> weights;
  double sum = 0;
  const Real most = *std::max_element(logits.begin(), logits.end());
  for (const Real each : logits) sum += weights.emplace_back(std::exp(static_cast<double>(each - most) / temperature));
  double at = rng.uniform() * sum;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if ((at -= weights[i]) < 0) return static_cast<Index>(i);
  }
  return static_cast<Index>(weights.size()) - 1;
}

int main(int argc, char** argv) {
  std::string path, begin = "The ";
  Index epochs = 12, count = 300;
  double temperature = 0.5;
  CLI::App app{"Learns to continue a text, character by character"};
  app.add_option("--text", path, "a file in UTF-8; default: a poem");
  app.add_option("--begin", begin, "the text to continue")->capture_default_str();
  app.add_option("--epochs", epochs, "passes over the text")->capture_default_str();
  app.add_option("--count", count, "characters to write")->capture_default_str();
  app.add_option("--temperature", temperature, "0.1: repeats what it knows; 1: invents")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::string text = poem;
  if (!path.empty()) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw FileError("cannot read " + path);
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  const CharacterVocabulary vocabulary(text);
  const Tensor ids = vocabulary.encode(text);
  const Windows data(ids, {.length = steps, .target_length = steps});  // the next character after each

  Sequential model = transformer(vocabulary.size());
  model.compile({.optimizer = Adam{.learning_rate = 0.003},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {Accuracy{}}});
  model.summary();
  const History history = model.fit(data, {.epochs = epochs});

  Stream stream(model);
  std::vector<Real> logits(static_cast<std::size_t>(stream.output_size()));
  const Tensor given = vocabulary.encode(begin);
  for (const Real id : given) stream.step({&id, 1}, logits);
  Rng rng(1);
  std::string written = begin;
  for (Index i = 0; i < count; ++i) {
    const auto id = static_cast<Real>(drawn(logits, temperature, rng));
    written += vocabulary.characters()[static_cast<std::size_t>(id)];
    stream.step({&id, 1}, logits);
  }
  std::cout << '\n' << written << '\n';
  return history["accuracy"].back() > 0.2 ? 0 : 1;
}
