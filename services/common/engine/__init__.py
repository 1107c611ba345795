"""An in-process model engine with continuous batching; the downstream and the policy service share it.

It is our own because nothing in the libraries does what the method needs. Continuous batching in transformers serves
text only, and its server ignores `n` and `logprobs`: the method asks about pictures, draws several samples of a prompt,
and reads log-probabilities. vLLM does all of that on a GPU and is the other engine of both services; this one runs
wherever torch does, a CPU included, and gives a seeded request the same text whatever else runs beside it.

`transformers_engine` is the way in, `interface` holds what goes in and out, `errors` how it fails.
"""
