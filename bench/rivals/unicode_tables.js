// Writes src/Engram/Tokenization/Patterns/unicode.txt: the sets of code points that Oniguruma and the normalizers inside Hugging Face's tokenizers know and .NET
// has no table for. Everything is asked of the library itself.
//   npm install tokenizers@0.23.2 (in a folder outside this repository)
//   NODE_PATH=FOLDER/node_modules node bench/rivals/unicode_tables.js > src/Engram/Tokenization/Patterns/unicode.txt
const { Tokenizer, nfkdNormalizer, nfdNormalizer, stripAccentsNormalizer } = require('tokenizers');

const scalars = [];
for (let c = 0; c <= 0x10ffff; c++) if (c < 0xd800 || c > 0xdfff) scalars.push(c);
const text = c => String.fromCodePoint(c);
const hex = c => c.toString(16).toUpperCase();
const chunks = [];
for (let i = 0; i < scalars.length; i += 4096) chunks.push(scalars.slice(i, i + 4096).map(text).join(''));

function preTokenizer(stage) {
  return Tokenizer.fromString(JSON.stringify({
    version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: stage, post_processor: null, decoder: null,
    model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, vocab: { a: 0 }, merges: [] },
  })).getPreTokenizer();
}
const split = (regex, behavior, invert) => preTokenizer({ type: 'Split', pattern: { Regex: regex }, behavior, invert });
const kept = (stage, input) => stage.preTokenizeString(input).map(piece => piece[0]);

function members(regex) {
  const stage = split(regex, 'Removed', true);
  return chunks.flatMap(chunk => kept(stage, chunk).flatMap(piece => [...piece].map(x => x.codePointAt(0))));
}

function ranges(points) {
  const result = [];
  for (const c of points) {
    const last = result[result.length - 1];
    if (last && (c === last[1] + 1 || (last[1] === 0xd7ff && c === 0xe000))) last[1] = c;
    else result.push([c, c]);
  }
  return result.map(([a, b]) => a === b ? hex(a) : `${hex(a)}-${hex(b)}`).join(' ');
}

const properties = 'Alphabetic Lowercase Uppercase Ideographic Emoji Emoji_Presentation Extended_Pictographic'.split(' ');
const scripts = `Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid
Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra
Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Gurung_Khema Han Hangul
Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li
Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean
Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari
Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian
Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra
Sharada Shavian Siddham SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil
Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri Toto Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square`.split(/\s+/);
for (const name of [...properties, ...scripts]) console.log(`${name} ${ranges(members(`\\p{${name}}`))}`);

// Where the library's normalizers and Rust stages go by another version of Unicode than its regular expressions; what newer versions compose or decompose.
const accents = stripAccentsNormalizer(), nfd = nfdNormalizer(), nfkd = nfkdNormalizer();
const symmetricDifference = (known, here) => { const set = new Set(known); return scalars.filter(c => set.has(c) !== here(c)); };
const marks = symmetricDifference(members('\\p{M}'), c => accents.normalizeString(`a${text(c)}a`) === 'aa');
const punctuation = preTokenizer({ type: 'Punctuation', behavior: 'Removed' });
const punctuationMarks = symmetricDifference(members('\\p{P}'), c => kept(punctuation, text(c)).length === 0);
const digits = preTokenizer({ type: 'Digits', individual_digits: true });
const numbers = symmetricDifference(members('\\p{N}'), c => kept(digits, `a${text(c)}a`).length === 3);
const blocksWithNewCompositions = [[0x105c0, 0x105ff], [0x11380, 0x113ff], [0x11900, 0x1195f], [0x16100, 0x1613f], [0x16d40, 0x16d7f]];
const leftAlone = new Set(marks);
for (const [a, b] of blocksWithNewCompositions) for (let c = a; c <= b; c++) leftAlone.add(c);
for (const c of scalars) if (text(c).normalize('NFKD') !== nfkd.normalizeString(text(c)) || text(c).normalize('NFD') !== nfd.normalizeString(text(c))) leftAlone.add(c);
console.log(`#Other_Marks ${ranges(marks)}`);
console.log(`#Other_Punctuation ${ranges(punctuationMarks)}`);
console.log(`#Other_Numbers ${ranges(numbers)}`);
console.log(`#Not_Normalized ${ranges([...leftAlone].sort((a, b) => a - b))}`);

// Letters that are equal when case is ignored, as found by matching every cased letter with every other.
const cased = new Set(), strings = new Set();
for (const c of scalars) {
  const s = text(c);
  for (const f of [s.toLowerCase(), s.toUpperCase(), s.toLowerCase().toUpperCase(), s.toUpperCase().toLowerCase()]) {
    if (f === s) continue;
    cased.add(c);
    if ([...f].length === 1) cased.add(f.codePointAt(0));
    else { strings.add(f.toLowerCase()); strings.add(f); }
  }
}
for (const name of ['Lowercase', 'Uppercase']) for (const c of members(`\\p{${name}}`)) cased.add(c);
const letters = [...cased].sort((a, b) => a - b);
const haystack = [...letters.map(text), ...strings].join('\u0001');
const pairs = [], groups = new Set(), folded = [];
for (const c of letters) {
  const found = new Set(kept(split(`(?i:\\x{${c.toString(16)}})`, 'Removed', true), haystack));
  const single = [...found].filter(s => s !== '\u0001' && [...s].length === 1).map(s => s.codePointAt(0)).sort((a, b) => a - b);
  const several = [...found].filter(s => [...s].length > 1);
  if (single.length === 2 && single[0] === c) pairs.push(single);
  if (single.length > 2) groups.add(single.map(hex).join('='));
  if (several.length) folded.push(`${hex(c)}=${[...several.map(s => [...s].map(x => hex(x.codePointAt(0))).join('+'))].sort((a, b) => a < b ? 1 : -1)[0]}`);
}
// Rows of pairs at equal distances: FIRST-LAST/STEP+DISTANCE.
const rows = [];
for (const [a, b] of pairs) {
  const row = rows.find(r => r.distance === b - a && (r.step === 0 ? a - r.last <= 2 : a - r.last === r.step));
  if (row) { row.step = a - row.last; row.last = a; }
  else rows.push({ first: a, last: a, step: 0, distance: b - a });
}
console.log(`#Equal_Pairs ${rows.map(r => `${hex(r.first)}-${hex(r.last)}/${r.step || 1}+${hex(r.distance)}`).join(' ')}`);
console.log(`#Equal_Groups ${[...groups].join(' ')}`);
console.log(`#Equal_Strings ${folded.join(' ')}`);
