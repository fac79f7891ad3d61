#include "cornu/datasets/character_vocabulary.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/datasets/subset.h"
#include "cornu/datasets/windows.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"

namespace cornu {
namespace {

using testing::error_of;
using Texts = std::vector<std::string>;

TEST(CharacterVocabulary, NumbersTheCharactersOfATextByCodePoint) {
  const CharacterVocabulary vocabulary("zürich, 日本 ü");
  EXPECT_EQ(vocabulary.characters(), (Texts{" ", ",", "c", "h", "i", "r", "z", "ü", "日", "本"}));
  EXPECT_EQ(vocabulary.size(), 10);
  EXPECT_EQ(vocabulary.encode("ü本 z"), Tensor::vector({7, 9, 0, 6}));
  EXPECT_EQ(vocabulary.decode(Tensor::matrix({{7, 9}, {0, 6}})), "ü本 z");
  EXPECT_EQ(vocabulary.encode("").shape(), Shape{0});
  std::string all;
  for (const std::string& character : vocabulary.characters()) all += character;
  EXPECT_EQ(CharacterVocabulary(all).characters(), vocabulary.characters());
}

TEST(CharacterVocabulary, OfBytesEncodesEveryText) {
  const CharacterVocabulary bytes = CharacterVocabulary::bytes();
  EXPECT_EQ(bytes.size(), 256);
  std::string all;
  for (int byte = 255; byte >= 0; --byte) all += static_cast<char>(byte);
  const Tensor ids = bytes.encode(all);
  for (Index i = 0; i < 256; ++i) EXPECT_EQ(ids[i], static_cast<Real>(255 - i));
  EXPECT_EQ(bytes.decode(ids), all);
}

TEST(CharacterVocabulary, NamesTheCharacterThatItCannotEncode) {
  const CharacterVocabulary vocabulary("aé");
  EXPECT_EQ(error_of<ValueError>([&] { vocabulary.encode("éab"); }),
            "CharacterVocabulary: \"b\" at byte 3 is not among the 2 characters of the vocabulary");
  const std::string text =
      "CharacterVocabulary: the text is not UTF-8 at byte 1; for other encodings use CharacterVocabulary::bytes()";
  EXPECT_EQ(error_of<ValueError>([&] { vocabulary.encode("a\xE9"); }), text);
  EXPECT_EQ(error_of<ValueError>([] { CharacterVocabulary("a\xE9"); }), text);
}

TEST(CharacterVocabulary, RejectsElementsThatAreNotIds) {
  const CharacterVocabulary vocabulary("ab");
  for (const Real id : {Real(-1), Real(2), Real(0.5)}) {
    EXPECT_EQ(error_of<ValueError>([&] {
                vocabulary.decode(Tensor::vector({0, id}));
              }),
              message("CharacterVocabulary: element 1 is {}; ids are whole numbers from 0 to 1", id));
  }
}

TEST(CharacterVocabulary, GivesWindowsWhoseTargetsAreTheNextCharacters) {
  const std::string text = "hello world";
  const CharacterVocabulary vocabulary(text);
  const Tensor ids = vocabulary.encode(text);
  const Windows data(ids, {.length = 4, .stride = 3, .target_length = 4});
  const TensorDataset samples = gathered(data);
  EXPECT_EQ(vocabulary.decode(samples.x()), "helllo wworl");
  EXPECT_EQ(vocabulary.decode(samples.y()), "elloo woorld");
}

}  // namespace
}  // namespace cornu
