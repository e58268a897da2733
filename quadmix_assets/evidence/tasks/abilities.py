"""What benchmark tasks ask of a model: the groups of the comparison."""

from quadmix_assets.settings import TaskSettings
from quadmix_assets.settings.evidence import Ability

ABILITIES: dict[str, Ability] = {
    "arc_easy": "reading comprehension",
    "arc_challenge": "reading comprehension",
    "triviaqa": "reading comprehension",
    "piqa": "commonsense",
    "hellaswag": "commonsense",
    "openbookqa": "commonsense",
    "mmlu": "knowledge",
    "mmlu_continuation": "knowledge",
    "nq_open": "knowledge",
    "svamp": "math",
}
"""The ability that the paper's nine tasks count in.

The paper names the groups and not their tasks. These are the only ones by which the tasks of its
Table 3 and the averages of its Table 1 agree: reading comprehension is the mean of ARC-E, ARC-C and
TriviaQA, and an average of all is that of nine tasks.
"""


def ability_of(task: TaskSettings) -> Ability:
    """The group of a task: that of its settings, else the paper's, else knowledge."""
    return task.ability or ABILITIES.get(task.name, "knowledge")
