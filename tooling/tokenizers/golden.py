"""Writes tooling/golden/numbers/tokenizers.json: ids of the Rust library for small tokenizers of every part that is implemented.

    python tooling/tokenizers/golden.py <folder with a tokenizer.json of byte-fallback BPE> <output>

Needs the packages `tokenizers` and `sentencepiece` (for a small table of characters).
"""
import base64
import io
import json
import sys
import tempfile
from importlib.metadata import version

import sentencepiece
from tokenizers import Tokenizer

base = json.load(open(f"{sys.argv[1]}/tokenizer.json", encoding="utf8"))
bpe = base["model"]
pieces = list(bpe["vocab"])
models = {
    "BPE": bpe,
    "Unigram": {
        "type": "Unigram",
        "unk_id": 0,
        "byte_fallback": True,
        "vocab": [[piece, -0.01 * i] for i, piece in enumerate(pieces)],
    },
    "WordLevel": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {p: i for i, p in enumerate(pieces)}},
}


def chars_map():
    """A table of four rules, as SentencePiece compiles it."""
    rules = f"{tempfile.mkdtemp()}/rules.tsv"
    with open(rules, "w", encoding="utf8") as file:
        for source, target in (("ﬁ", "fi"), ("①", "1"), ("e\u0301", "é"), ("\u3000", " "), ("x\u0301", "")):
            file.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["once upon a time there was a fox"] * 9),
        model_writer=model, vocab_size=20, normalization_rule_tsv=rules, minloglevel=2,
    )
    from sentencepiece import sentencepiece_model_pb2 as pb

    spec = pb.ModelProto()
    spec.ParseFromString(model.getvalue())
    return base64.b64encode(spec.normalizer_spec.precompiled_charsmap).decode()


REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
PREPEND = {"type": "Prepend", "prepend": "▁"}
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"


def sequence(kind, *parts):
    return {"type": "Sequence", {"n": "normalizers", "p": "pretokenizers", "d": "decoders"}[kind]: list(parts)}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def token(content, **flags):
    defaults = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {"id": 0, "content": content, **defaults, **flags}


def meta(scheme, **more):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True, **more}


NOTHING = dict(normalizer=None, pre_tokenizer=None, decoder=base["decoder"], model="BPE", added=[])
SPACES = dict(normalizer=REPLACE)
variants = [("as LLaMA has it", dict(normalizer=base["normalizer"]))]
for behavior in ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"):
    for invert in (False, True):
        variants.append((f"Split of a text, {behavior}{', inverted' if invert else ''}",
                         dict(SPACES, pre_tokenizer=split({"String": "▁"}, behavior, invert))))
    variants.append((f"Split of a regular expression, {behavior}", dict(pre_tokenizer=split({"Regex": r"\s|[aeiou]{2}"}, behavior))))
    variants.append((f"Punctuation, {behavior}", dict(SPACES, pre_tokenizer={"type": "Punctuation", "behavior": behavior})))
variants += [
    ("words of GPT-4", dict(pre_tokenizer=sequence("p", split({"Regex": GPT4}, "Isolated"), split({"String": " "}, "MergedWithNext")))),
    ("lines", dict(pre_tokenizer=split({"Regex": r"^\w+|\d$|\h{2}(?=x)|[\p{L}&&[^\p{Han}]]"}, "Isolated"))),
    ("bytes", dict(pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                   decoder={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True})),
    ("bytes of the whole text", dict(normalizer={"type": "ByteLevel"}, decoder={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True})),
    ("Digits", dict(SPACES, pre_tokenizer={"type": "Digits", "individual_digits": False})),
    ("single Digits", dict(SPACES, pre_tokenizer={"type": "Digits", "individual_digits": True})),
    ("CharDelimiterSplit", dict(pre_tokenizer={"type": "CharDelimiterSplit", "delimiter": "."})),
    ("Whitespace", dict(pre_tokenizer={"type": "Whitespace"})),
    ("WhitespaceSplit", dict(pre_tokenizer={"type": "WhitespaceSplit"})),
    ("BertPreTokenizer", dict(pre_tokenizer={"type": "BertPreTokenizer"})),
    ("BertNormalizer", dict(normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                                        "strip_accents": None, "lowercase": True})),
    ("Strip, Lowercase, StripAccents", dict(normalizer=sequence(
        "n", {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "NFD"}, {"type": "StripAccents"},
        {"type": "Lowercase"}, REPLACE))),
    ("Replace by a regular expression", dict(normalizer=sequence(
        "n", {"type": "Replace", "pattern": {"Regex": r"\s{2,}|\d+"}, "content": "$1"}, REPLACE))),
    ("Precompiled", dict(normalizer=sequence("n", {"type": "Precompiled", "precompiled_charsmap": chars_map()}, REPLACE))),
    ("unknown characters, one by one", dict(SPACES, changes=dict(byte_fallback=False, fuse_unk=False))),
    ("unknown characters as one", dict(SPACES, changes=dict(byte_fallback=False, fuse_unk=True))),
    ("nothing for the unknown", dict(SPACES, changes=dict(byte_fallback=False, unk_token=None))),
    ("words that are tokens", dict(pre_tokenizer=meta("always"), changes=dict(ignore_merges=True))),
    ("Unigram without bytes", dict(normalizer=base["normalizer"], model="Unigram", changes=dict(byte_fallback=False))),
    ("Unigram in words", dict(pre_tokenizer=meta("always"), model="Unigram", decoder=meta("always"))),
    ("WordLevel", dict(pre_tokenizer={"type": "WhitespaceSplit"}, model="WordLevel", decoder=None)),
    ("BPEDecoder", dict(SPACES, decoder={"type": "BPEDecoder", "suffix": "e"})),
]
for form in ("NFC", "NFD", "NFKC", "NFKD"):
    variants.append((form, dict(normalizer=sequence("n", {"type": form}, REPLACE))))
for scheme in ("always", "first", "never"):
    variants.append((f"Metaspace, {scheme}", dict(pre_tokenizer=meta(scheme), decoder=meta(scheme),
                                                  added=[token("<img>", normalized=True)])))
for name, flags in (("single_word", dict(single_word=True)), ("lstrip", dict(lstrip=True)), ("rstrip", dict(rstrip=True)),
                    ("both sides", dict(lstrip=True, rstrip=True)), ("normalized", dict(normalized=True)), ("special", dict(special=True))):
    for normalizer in (base["normalizer"], sequence("n", {"type": "Lowercase"}, REPLACE)):
        variants.append((f"added tokens, {name}, {normalizer['normalizers'][0]['type']}",
                         dict(normalizer=normalizer, added=[token(t, **flags) for t in ("<img>", "Time", "<img><img>", "the fox")])))

texts = [
    "", " ", "Once upon a time", "  two  spaces and\ttabs\n\nlines\r\n ", "Hello, world! It's (not) a #1 test... 3.14 + 2,000", "naïve café e\u0301 ﬁne ①②",
    "你好,世界。こんにちは", "مرحبا بالعالم", "😀👩‍👩‍👧 a😀", "\ufeffx\ufeff\u0085y\u00a0z\u3000", "the<img>the <img> the", "<img><img><img>x Time Timely atTime Time.",
    "the fox the foxes THE FOX <s>a</s> b", "I'LL we'Ve DON'T 'S", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa          ", "▁a ▁▁b▁", "A\u0000B\u001f\u200bC\ufffd", "x\u0301ab12cd345678ef.gh. .i",
    "ΣΊΣΥΦΟΣ İstanbul ǅ", "he said: \"the time, the place\"; he's  there--then?",
]
out = []
for name, changes in variants:
    variant = {**NOTHING, **changes}
    model = {**models[variant["model"]], **variant.get("changes", {})}
    added = [dict(each) for each in base["added_tokens"]]
    for each in variant["added"]:
        added.append({**each, "id": len(pieces) + len(added) - 3})
    definition = {**{k: variant[k] for k in ("normalizer", "pre_tokenizer", "decoder")}, "added_tokens": added, "post_processor": None}
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None, **definition, "model": model}))
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    out.append({"name": name, "model": variant["model"], "changes": variant.get("changes", {}), "definition": definition,
                "ids": ids, "texts": [tokenizer.decode(each) for each in ids]})
with open(sys.argv[2], "w", encoding="utf8") as file:
    json.dump({"tokenizers": version("tokenizers"), "models": models, "texts": texts, "variants": out}, file, ensure_ascii=False, separators=(",", ":"))
    file.write("\n")
print(len(out), "variants")
