#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

/// Numbers the characters of texts, for models that read and write text one character or one byte at a time.
///
///     const CharacterVocabulary vocabulary(text);
///     const Tensor ids = vocabulary.encode(text);
///     const Windows data(ids, {.length = 64, .stride = 64, .target_length = 64});  // the next character of each
///
/// Such windows have x and y of shape (64), for an Embedding{vocabulary.size(), ...} at the start of a model and
/// SparseCategoricalCrossentropy of outputs (batch, 64, vocabulary.size()).
class CharacterVocabulary {
 public:
  /// The different characters of a text in UTF-8, in the order of their code points. The same characters, in any
  /// order, give the same ids. Throws ValueError for text that is not UTF-8.
  explicit CharacterVocabulary(std::string_view text);
  /// All 256 bytes; the id of a byte is its value. Encodes any text and any file.
  static CharacterVocabulary bytes();

  /// The number of ids.
  Index size() const { return std::ssize(characters_); }
  /// By id.
  const std::vector<std::string>& characters() const { return characters_; }

  /// One id per character, (characters). Throws ValueError for a character that is not in the vocabulary and for text
  /// that is not UTF-8, naming its position in bytes.
  Tensor encode(std::string_view text) const;
  /// The text of the ids, in row-major order whatever their shape. Throws ValueError, naming the position, for an
  /// element that is not an id.
  std::string decode(ConstView ids) const;

 private:
  CharacterVocabulary() = default;

  std::vector<std::string> characters_;
  std::map<std::string, Index, std::less<>> ids_;  // unused if the characters are bytes
  bool are_bytes_ = false;
};

}  // namespace cornu
