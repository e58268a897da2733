"""Converts rows of well-known target sets, as published on the hub, to question and answer.

The paper's targets are OpenHermes 2.5 and the training sets of HellaSwag, ARC, MMLU and TriviaQA
(QuaDMix, section 4.1). A format is one module, which holds a `TargetFormat`, and one line in
`registry.FORMATS`.
"""
