// Speed of Hugging Face's library: node tokenizer_speed.js TOKENIZER.json TEXT PIECE ROUNDS, with RAYON_NUM_THREADS for the number of threads.
// The text is cut into pieces of PIECE UTF-16 units, as Engram.Benchmarks cuts it, and encoded as one batch. Prints {"seconds": […], "tokens": n, "hash": n}.
const fs = require('fs');
const { Tokenizer } = require('tokenizers');
const [path, textPath, piece, rounds] = process.argv.slice(2);

(async () => {
  const file = JSON.parse(fs.readFileSync(path, 'utf8'));
  const tokenizer = Tokenizer.fromString(JSON.stringify({ ...file, truncation: null, padding: null }));
  const text = fs.readFileSync(textPath, 'utf8');
  const pieces = [];
  for (let at = 0; at < text.length; at += +piece) pieces.push(text.slice(at, at + +piece));
  const seconds = [];
  let encodings;
  for (let round = 0; round < +rounds; round++) {
    const start = process.hrtime.bigint();
    encodings = await tokenizer.encodeBatch(pieces, { addSpecialTokens: false });
    seconds.push(Number(process.hrtime.bigint() - start) / 1e9);
  }
  let [tokens, hash] = [0, 0];
  for (const encoding of encodings) for (const id of encoding.getIds()) { tokens++; hash = (Math.imul(hash, 31) + id) | 0; }
  console.log(JSON.stringify({ seconds, tokens, hash }));
})();
