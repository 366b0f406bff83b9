"""One vocabulary out of the part names of several data sets, and the sentence encoder of its descriptions.

`raw` holds and reads the names as data sets use them; `pairs` and `merge` compress them (sections 4.1 and
9.4); `vocabulary` is the result; `export` writes it; `text` embeds names and descriptions; `llm` asks a
language model.
"""
