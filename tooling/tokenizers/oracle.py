"""What the Rust library gives: reads {"path", "texts", "sequences"} and prints ids of the texts and texts of the sequences."""
import json
import sys

from tokenizers import Tokenizer

request = json.load(open(sys.argv[1], encoding="utf8"))
tokenizer = Tokenizer.from_file(request["path"])
tokenizer.no_truncation()
tokenizer.no_padding()
ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in request["texts"]]
json.dump(
    {
        "ids": ids,
        "texts": [tokenizer.decode(each) for each in ids],
        "decoded": [tokenizer.decode(each) for each in request["sequences"]],
    },
    open(sys.argv[2], "w", encoding="utf8"),
)
