// Random texts with the ids that Hugging Face's library gives them, one JSON line each: [text, ids, decoded].
//   npm install tokenizers@0.23.2 (in a folder outside this repository)
//   NODE_PATH=FOLDER/node_modules node bench/rivals/tokenizer_texts.js TOKENIZER.json SEED COUNT > texts.jsonl
// Compare with
//   ENGRAM_TOKENIZER=TOKENIZER.json ENGRAM_TEXTS=texts.jsonl TESTS/Engram.Tests -class '*ReferenceTextsTests'
const fs = require('fs');
const { Tokenizer } = require('tokenizers');
const [path, seedText = '1', countText = '20000'] = process.argv.slice(2);

let state = +seedText;
function random(n) {
  state = (state + 0x6D2B79F5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
}
const pick = list => list[random(list.length)];

const words = ('the of and a to in is was that for it as with his on be at by this had not are but from or have an they which one you were all her she there would their we him been has when who '
  + 'don\'t I\'m we\'ve they\'ll it\'s IT\'S THEY\'RE camelCase HTTPServer snake_case __init__ x1 2024 3.14159 0xFF 1e-9 naïve café Straße ÆØÅ Zürich déjà-vu').split(' ');
const foreign = ['日本語', '中文字符', '漢字かな交じり', '한국어', 'русский', 'ΕΛΛΗΝΙΚΆ', 'עברית', 'العربية', 'नमस्ते', 'ภาษาไทย', 'தமிழ்', '𝔘𝔫𝔦𝔠𝔬𝔡𝔢', '𠮷野家', '😀', '👩\u200d💻', '🇩🇪', '👍🏽', '１２３', '½', '²', 'ﬀ', 'Ⅷ'];
const marks = [...' \t\n\r.,;:!?\'"()[]{}<>/\\|-_=+*&^%$#@~`', '  ', '   ', '\n\n', '\r\n', '\t\t', ' \n', '’', '“', '”', '—', '…', '。', '、', '\u00a0', '\u3000', '\u200b', '\u2028', '\ufeff', '\u200d', '\u0085', '\u0301', '\ufffd', '\ufffe', '\u0000', '\u0007'];
const codeLines = ['    return x;\n', 'for (int i = 0; i < n; i++) {\n', '\tif err != nil {\n', '#include <stdio.h>\n', 'def f(self, *args, **kwargs):\n', '// TODO: ', '/* … */', '</div>', '&nbsp;', '=> {', '!=', '===', '->', '::', '<<'];
// Any scalar, more often a small one.
function scalar() {
  const c = random([0x80, 0x800, 0x3000, 0x10000, 0x110000][random(5)]);
  return c >= 0xd800 && c < 0xe000 ? '\ufffd' : String.fromCodePoint(c);
}

const file = JSON.parse(fs.readFileSync(path, 'utf8'));
const added = (file.added_tokens || []).map(t => t.content);
const vocabulary = Object.keys(file.model.vocab);
const symbolBytes = new Map();
for (let b = 0, next = 256; b < 256; b++) symbolBytes.set(String.fromCodePoint((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : next++), b);
function token() {
  const text = Buffer.from([...pick(vocabulary)].map(c => symbolBytes.get(c) ?? 0x3f)).toString('utf8');
  return text;
}

function text() {
  const kind = random(8);
  let n = 1 + random(kind === 0 ? 120 : 20), s = '';
  while (n-- > 0) {
    switch (kind < 2 ? random(7) : kind) {
      case 2: s += pick(words) + pick(marks); break;
      case 3: s += pick(foreign) + (random(2) ? pick(marks) : ''); break;
      case 4: s += pick(codeLines) + pick(words); break;
      case 5: s += scalar(); break;
      case 6: s += token(); break;
      case 7: s += added.length && random(3) === 0 ? pick(added) + pick(['', ' ', 'x']) : pick(marks); break;
      case 0: s += pick(words) + ' '; break;
      default: s += pick(marks).repeat(1 + random(4)); break;
    }
  }
  return s;
}

(async () => {
  delete file.truncation;   // Engram never cuts and says so
  const tokenizer = Tokenizer.fromString(JSON.stringify({ ...file, truncation: null, padding: null }));
  let out = '';
  for (let i = 0; i < +countText; i++) {
    const input = text();
    const ids = [...(await tokenizer.encode(input, null, { addSpecialTokens: false })).getIds()];
    out += JSON.stringify([input, ids, ids.length ? await tokenizer.decode(ids, false) : '']) + '\n';
    if (out.length > 1 << 20) { process.stdout.write(out); out = ''; }
  }
  process.stdout.write(out);
})();
