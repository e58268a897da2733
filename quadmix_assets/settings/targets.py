"""Settings of the target sets."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from quadmix_assets.corpus.target_formats.registry import FORMATS, known_format, target_format
from quadmix_assets.settings.base import Name, PositiveInt, Section
from quadmix_assets.settings.locations import Location

FormatName = Annotated[
    str,
    AfterValidator(known_format),
    WithJsonSchema({"type": "string", "enum": list(FORMATS)}),
]


class TextSetSettings(Section):
    """A set of texts that losses are measured on, and how it is read."""

    name: Name = Field(description="name of the target set in criteria, objectives and tables")
    path: Location | None = Field(
        default=None,
        description="file or URI, or a glob pattern with *; null: read `dataset`, or the generated "
        "target set of the demo",
    )
    dataset: str | None = Field(
        default=None,
        description="hub id of a data set, read as Parquet; a local copy under corpus.datasets "
        "comes first",
    )
    config: str = Field(default="default", description="configuration of the data set")
    split: str = Field(
        default="train",
        description="split of the data set; the others are left for the final evaluation",
    )
    revision: str = Field(
        default="refs/convert/parquet",
        description="branch, tag or commit of the data set; the default is where the hub keeps "
        "every data set as Parquet",
    )
    text_column: str = Field(
        default="text", description="column of the text, where neither template nor format is set"
    )
    template: str | None = Field(
        default=None,
        description="makes the text from several columns, for example `{prompt}\\n\\n{response}` "
        "(also `{meta.field}` and `{choices[0]}`, and two braces for one); "
        "with a format, from the fields that the format gives",
    )
    format: FormatName | None = Field(
        default=None,
        description="name of the row format of a published data set, whose rows become question "
        "and answer",
    )
    max_documents: PositiveInt | None = Field(
        default=10_000,
        description="maximum number of documents; a larger set is sampled down. The default is the "
        "paper's number for OpenHermes; null: all",
    )
    mask_template: bool = Field(
        default=True,
        description="whether losses leave out the words of the template that all documents share, "
        "such as `Question:` and `Answer:`: what `template` or `format` adds to the columns, or, "
        "where the text is one column, the labels at the start of a line that at least 90 % of the "
        "documents have",
    )

    @model_validator(mode="after")
    def _one_source(self) -> "TextSetSettings":
        if self.path is not None and self.dataset is not None:
            raise ValueError("path and dataset are both given: keep the one to read from")
        return self


class TargetSettings(TextSetSettings):
    """One target set: text that the mix should make a model good at."""

    fit_share: Annotated[float, Field(ge=0.0, lt=1.0)] = Field(
        default=1 / 3,
        description="share of the documents that criteria may be fitted to; losses are measured on "
        "the others only, which no criterion has been fitted to",
    )
    proof_share: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=0.5,
        description="share of the others that is kept for proof: the search scores proxies on the "
        "rest and never sees these, on which optimum_check and the evidence measure what was "
        "chosen",
    )
    measure: Literal["loss", "choice"] = Field(
        default="loss",
        description="what regressors and objectives learn from. loss: loss_nats, of the text; "
        "choice: choice_nats, minus the logarithm of the right choice's probability among the "
        "choices of a multiple-choice question, which needs a format that gives choices",
    )

    @model_validator(mode="after")
    def _choices_are_there(self) -> "TargetSettings":
        if self.measure == "choice" and (
            self.format is None or not target_format(self.format).has_choices
        ):
            raise ValueError(
                f"measure is 'choice', but the format {self.format!r} gives no choices: set a "
                "format of multiple-choice questions, such as mmlu, or measure: loss"
            )
        return self
