// Pre-tokenizer stages with texts and the pieces that Hugging Face's library makes of them.
//   npm install tokenizers@0.23.2 (in a folder outside this repository)
//   NODE_PATH=FOLDER/node_modules node bench/rivals/tokenizer_stages.js golden > tests/Engram.Tests/Tokenization/Goldens/pre-tokenizers.json
//   NODE_PATH=FOLDER/node_modules node bench/rivals/tokenizer_stages.js random SEED COUNT > stages.json
// The second form builds patterns at random; a pattern that makes Oniguruma give up ends it, so seeds are many and counts small. Compare with
//   ENGRAM_STAGES=stages.json TESTS/Engram.Tests -class '*ReferenceStagesTests'
const { Tokenizer } = require('tokenizers');
const [mode, seedText = '1', countText = '200'] = process.argv.slice(2);

let state = +seedText;
function random(n) {
  state = (state + 0x6D2B79F5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
}
const pick = list => list[random(list.length)];

const alphabet = [...'aabbcsStTdDLlRrEeVvMmKkxyzAZ0123456789  \t\n\r\n\'’"!.,-_/()[]{}<>=+*&^%$#@~`|\\',
  'é', 'e\u0301', 'ß', 'ſ', '\u212a', 'ss', 'SS', 'ﬀ', 'ff', 'İ', 'i', 'I', 'ı', 'ŉ', '漢', '字', '々', '〇', 'ア', 'ー', 'ひ', '한', '국', 'ㄱ', 'я', 'Я', 'λ', 'Σ', 'ς',
  'ά', 'א', 'ب', 'न', 'म', 'स्ते', 'ก', '😀', '👩\u200d💻', '𝔸', '𝟙', '𠮷', '½', '²', 'Ⅷ', '①', '\u00a0', '\u3000', '\u200b', '\u2028', '\u0085', '\ufeff', '\u200d', '€', '₿',
  '«', '»', '—', '…', '。', '、', '「', '」', '·', 'ª', 'ǅ', 'ᾳ', '\u0345', '\ufffe', '\u{1c89}', '\u{10d50}', '\u{32ff}', '\u0898', '\u{11de0}', '\u{1145d}', '\u0000', '\u0001',
  '\u000b', '\u000c', "'s", "'LL", "'re", '\r\n', '\n\n', '  ', '   ', '12345', 'word', 'Word', 'WORD', 'camelCase'];
function text(most) {
  let n = 1 + random(most), s = '';
  while (n-- > 0) s += pick(alphabet);
  return s;
}

const symbols = [];
for (let b = 0, next = 256; b < 256; b++) symbols[b] = String.fromCodePoint((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : next++);
const vocab = Object.fromEntries(symbols.map((s, b) => [s, b]));
const bytes = new Map(symbols.map((s, b) => [s, b]));
// A piece of byte symbols as text; characters that other stages put in stay.
const asText = piece => [...piece].every(c => bytes.has(c)) ? Buffer.from([...piece].map(c => bytes.get(c))).toString('utf8') : piece;

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
const split = (regex, behavior = 'Isolated', invert = false) => ({ type: 'Split', pattern: { Regex: regex }, behavior, invert });
function entry(stages, count, most, normalizer = null) {
  const json = {
    version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer, pre_tokenizer: { type: 'Sequence', pretokenizers: stages }, post_processor: null,
    decoder: byteLevel, model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, vocab, merges: [] },
  };
  let tokenizer;
  try { tokenizer = Tokenizer.fromString(JSON.stringify(json)); } catch { return null; }
  const [n, p] = [tokenizer.getNormalizer(), tokenizer.getPreTokenizer()];
  const cases = [];
  for (let i = 0; i < count; i++) {
    const input = text(most);
    const normalized = n ? n.normalizeString(input) : input;
    cases.push([input, normalized === '' ? [] : p.preTokenizeString(normalized).map(piece => asText(piece[0]))]);
  }
  return { normalizer, stages, cases };
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const upper = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}', lower = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}', noHan = '&&[^\\p{Han}]]';
const patterns = [
  // Of vocabularies in wide use.
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  `[^\\r\\n\\p{L}\\p{N}]?${upper}]*${lower}]+${contractions}?|[^\\r\\n\\p{L}\\p{N}]?${upper}]+${lower}]*${contractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  `[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?${upper}${noHan}*${lower}${noHan}+${contractions}?|[^\\r\\n\\p{L}\\p{N}]?${upper}${noHan}+${lower}${noHan}*${contractions}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", '(?:\\r?\\n)+(?!\\r?\\n)', '\\A\\p{Nd}{1,2}(?=\\p{Nd}{3}+\\z)', '\\A\\p{Nd}{3}|\\G\\p{Nd}{3}',
  '\\s+$', '[\r\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', '[一-龥ࠀ-一가-퟿]+', '(?<=\\d)(?=(?:\\d{3})+\\b)', '\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))', '(?<![A-Za-z])[A-Za-z]+', '(?<=[a-z])(?=[A-Z])',
  // Every construct.
  '(?i:ss|k)', '\\w+|[^\\w\\s]+', '\\b', '\\B', '^', '$', '\\Z', '\\R', '(?m:.+)', '.+?\\s', '[^\\S\\n]+', '(?i)ß|ſt|k', '(?i:[ß-à])+', '(?i:[^a-k])+', '(?i:ﬀ)', '(?i:straße|ẞ)', '(?i:İ|ŉ)',
  '(?i:\\p{Lu})+', '(?>a|ab)c', '(?>a+)b', '(ab|a)(c|bcd)*', 'x*', '(?=a)', '[[:alpha:]]+', '[[:^space:]]+', '[[:punct:]]+', '\\h+', '[a-z&&[^aeiou]]+', '[\\w&&\\P{Han}&&[^0-9]]+', '[]a-]+',
  '[a\\]b]+', '[\\d-]+', '[^]a]', '\\p{^Han}+', '\\p{Hiragana}+|\\p{Katakana}+', '\\p{Latin}+', '\\p{Emoji}+', '\\p{Uppercase_Letter}|\\p{punct}', 'a{2}?', 'a{,2}b', '(?:a|b){2,3}?', 'a{1,2}+',
  '[ab]{2}+', '\\N+', '\\O', '{', 'x{2', '}', ']', 'a{b}', '(?<n>a)b', '(?i-i:a)b', 'a(?i)b|c', '(?#x)a+', '\\u00e9|\\x{6f22}|\\x41', '\\t|\\v|\\f|\\e|\\a', '\\/\\-\\.', '(?:a?){3}', '|a', 'a|', '()',
];
const behaviors = [['Removed', true], ['Removed', false], ['MergedWithPrevious', false], ['MergedWithNext', false], ['Contiguous', false], ['MergedWithPrevious', true], ['MergedWithNext', true]];
const stages = [
  { type: 'Punctuation', behavior: 'Contiguous' }, { type: 'Punctuation', behavior: 'MergedWithNext' }, { type: 'Digits', individual_digits: true }, { type: 'Digits', individual_digits: false },
  { type: 'Whitespace' }, { type: 'WhitespaceSplit' }, { type: 'BertPreTokenizer' }, { type: 'CharDelimiterSplit', delimiter: 'a' },
  { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'never', split: true },
  { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: false }, { ...byteLevel, add_prefix_space: true, use_regex: true }, { ...byteLevel, use_regex: true },
];
const normalizers = [...['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'ByteLevel'].map(type => ({ type })), { type: 'Strip', strip_left: true, strip_right: true },
  ...['\\s+', 'a*', '$', '\\b', '(?i:ss)', '[^a]'].map(regex => ({ type: 'Replace', pattern: { Regex: regex }, content: '<>' }))];

const sets = ['a', '[bc]', '[^b]', '\\s', '\\p{L}', '\\p{Lu}', '.', '1', '\\P{N}', '\\d', '\\w', '\\W', '[a-m&&[^c]]', '[^\\s\\p{L}]', '\\p{Han}', '\\n', 's', '[sk]'];
const quantifier = () => pick(['', '', '', '?', '*', '+', '{2}', '{1,2}', '{1,}', '??', '*?', '+?', '?+', '*+', '++', '{1,2}?', '{2,}?', '{0,2}']);
function part(depth) {
  switch (random(depth > 0 ? 12 : 6)) {
    case 6: return `(?:${choice(depth - 1)})`;
    case 7: return `(?i:${choice(depth - 1)})`;
    case 8: return `${pick(['(?=', '(?!'])}${choice(depth - 1)})`;
    case 9: return `${pick(['(?<=', '(?<!'])}${pick(sets)}${pick(['', '{2}', pick(sets)])})`;
    case 10: return `(?>${choice(depth - 1)})`;
    case 11: return pick(['^', '$', '\\b', '\\A', '\\z', '\\G']);
    default: return pick(sets);
  }
}
const isCondition = s => /^(\(\?[=!<]|\^|\$|\\[bAzG])/.test(s);
const row = depth => Array.from({ length: 1 + random(3) }, () => part(depth)).map(s => isCondition(s) ? s : s + quantifier()).join('');
const choice = depth => Array.from({ length: 1 + random(2) }, () => row(depth)).join('|');

const entries = [];
if (mode === 'golden') {
  for (const pattern of patterns) entries.push(entry([split(pattern), byteLevel], 6, 16));
  for (const pattern of patterns.slice(0, 24)) for (const [behavior, invert] of behaviors) entries.push(entry([split(pattern, behavior, invert), byteLevel], 1, 24));
  for (const stage of stages) entries.push(entry([stage, byteLevel], 6, 20));
  for (const first of stages) for (const second of stages) entries.push(entry([first, second, byteLevel], 1, 20));
  for (const normalizer of normalizers) entries.push(entry([{ ...byteLevel, use_regex: true }], 8, 20, normalizer));
} else {
  for (let i = 0; i < +countText; i++) entries.push(entry([split(choice(1), pick(behaviors.map(b => b[0])), random(4) === 0), byteLevel], 8, 20));
}
console.log(`[\n${entries.filter(e => e).map(e => JSON.stringify(e).replace(/[\u007f-\u009f\u2028\u2029\u00ad\u200b-\u200f\ufeff\ufffe\u0300-\u036f\ud800-\udfff]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'))).join(',\n')}\n]`);
