/** A generator of numbers from a seed (mulberry32). */
export function createRandom(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const WORDS =
  `the quick brown fox jumps over lazy dog Once upon a time there was I'm you'RE she'LL WE'VE don't it's 'S 'T rock'n'roll
naïve façade Zürich Ångström straße ĲSSEL ﬁne ﬂow ½ ² ① Ⅻ ﷺ ™ camelCase snake_case HTTPServer iPhone15 x86_64 foo.bar() 3.14159
1,000,000 2024-05-17 0xDEADBEEF 1e-5 100% $5.00 @user #tag https://example.org/a?b=c&d=e user@mail.com C++ C# .NET <div> </p> &amp;
{"key": [1, 2]} \\n \\t // /* */ == != <= >> && || ++ -- -> => :: ;; __init__ #!/bin/sh ... !!! ??? — – “quotes” ‘single’ «guillemets»`
    .split(/\s+/)
    .filter(Boolean);
const EMOJI = ['😀', '👩‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '🇫🇷', '🇩🇪🇯🇵', '❤️', '☺', '🧑🏿‍💻', '#️⃣', '🫠', '♂', '🤷‍♀️'];
const SCRIPTS = [
  'مرحبا بالعالم كيف حالك؟ ١٢٣ لا إله اَلْعَرَبِيَّةُ',
  'שלום עולם מה שלומך? בְּרֵאשִׁית',
  '你好世界今天天气怎么样我们去公园吧。「引用」，、！',
  'こんにちは世界カタカナﾊﾝｶｸ日本語のテキストです。が\u304b\u3099',
  '안녕하세요 세계 오늘 날씨가 좋네요 \u1112\u1161\u11ab\u1100\u1173\u11af',
  'Привет мир как дела Ёлка ѐ',
  'สวัสดีชาวโลกวันนี้อากาศดี ๑๒๓',
  'नमस्ते दुनिया आज मौसम कैसा है १२३ क्षत्रिय',
  'Γειά σου Κόσμε ΣΊΣΥΦΟΣ ς',
  'Xin chào thế giới Tiếng Việt ế\u0301',
  'გამარჯობა ამ ሰላም ለዓለም ᠮᠣᠩᠭᠣᠯ བོད་སྐད',
  '𝕳𝖊𝖑𝖑𝖔 𝒲𝑜𝓇𝓁𝒹 𠀀𠮷𡃁 ﾃﾞ e\u0301e\u0308 ﬃ Å',
];
const SPACES = [
  ' ',
  '  ',
  '   ',
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  ' \n',
  '\n ',
  '\u00a0',
  '\u3000',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\u200b',
  '\u200d',
  '\v',
  '\f',
  '\u00ad',
  '▁',
  ' ▁ ',
  '\u2009',
];

/** Kinds of texts; `added` are the tokens that a tokenizer finds in a text by their name. */
const KINDS = [
  ({ many, pick }) => many(1, 20, () => pick(WORDS)).join(' '),
  ({ many, pick }) => many(1, 20, () => pick(WORDS) + pick(SPACES)).join(''),
  ({ many, pick }) => many(1, 12, () => pick(EMOJI) + pick(['', ' ', 'a', '\n'])).join(''),
  ({ slice, pick }) => slice(pick(SCRIPTS)),
  ({ many, slice, pick }) =>
    many(1, 5, () => slice(pick(SCRIPTS)) + pick(SPACES) + pick(WORDS)).join(pick(['', ' '])),
  // Byte noise, as text of one byte a character and as UTF-8 that is malformed.
  ({ many, random }) => many(1, 40, () => String.fromCharCode(random(256))).join(''),
  ({ many, random }) => new TextDecoder().decode(Uint8Array.from(many(1, 40, () => random(256)))),
  ({ many, random }) => many(1, 30, () => codePoint(random)).join(''),
  ({ random, pick }) =>
    pick([' ', '\n', 'a', 'A', '0', '!', '-', '=', '你', '😀', '\t', '▁', 'ab', 'é', "'", '\u0301']).repeat(
      1 + random(300),
    ),
  ({ many, random, pick }) =>
    many(1, 6, () => pick([...SPACES, 'x', '7', '.']).repeat(1 + random(12))).join(''),
  ({ many, random, pick }) =>
    many(1, 10, () => String(random(10 ** (1 + random(9)))) + pick(['', ' ', '.', ',', 'a'])).join(''),
  ({ many, pick, added }) =>
    many(1, 6, () => pick(added) + pick(['', ' ', 'a', '\n', '  ', '.', 'é', '你'])).join(''),
  ({ many, pick, slice, added }) =>
    many(1, 8, () =>
      pick([pick(added), slice(pick(added)), pick(WORDS), pick(SPACES), slice(pick(SCRIPTS))]),
    ).join(''),
];

/** Of Unicode 12.1 to 15, changed by NFKC or put in order by NFC: the Rust library's tables are older and do neither. */
const NEWER = [
  [0x1e030, 0x1e06d],
  [0x898, 0x89f],
  [0x8ca, 0x8d3],
  [0x32ff, 0x32ff],
  [0x10780, 0x107ba],
];

/** A character of any plane; those that have no meaning yet differ between versions of Unicode. */
function codePoint(random) {
  for (;;) {
    const code = [random(0x3000), random(0x10000), random(0x20000), random(0x110000)][random(4)];
    const character = String.fromCodePoint(code);
    if (!/[\p{Cs}\p{Cn}]/u.test(character) && !NEWER.some(([first, last]) => code >= first && code <= last))
      return character;
  }
}

/** `count` texts from a seed. */
export function createTexts(seed, count, added) {
  const random = createRandom(seed);
  const pick = (list) => (list.length === 0 ? '' : list[random(list.length)]);
  const many = (low, high, make) => Array.from({ length: low + random(high - low + 1) }, make);
  const slice = (text) => {
    const characters = Array.from(text);
    const start = random(characters.length + 1);
    return characters.slice(start, start + 1 + random(characters.length)).join('');
  };
  const tools = { random, pick, many, slice, added };
  return ['', ' ', ...Array.from({ length: count - 2 }, (_, i) => KINDS[i % KINDS.length](tools))];
}
