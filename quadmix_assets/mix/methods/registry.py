"""All methods of making a mix: one line and one module add a method."""

from quadmix_assets.registry import Registry

_HERE = "quadmix_assets.mix.methods"

METHODS = Registry(
    "method",
    {
        "quadmix": f"{_HERE}.quadmix:QuadmixMix",
        "quadmix_paper": f"{_HERE}.quadmix_paper:QuadmixPaperMix",
        "quadmix_shares": f"{_HERE}.quadmix_shares:QuadmixSharesMix",
        "quadmix_quality": f"{_HERE}.quadmix_quality:QuadmixQualityMix",
        "best_measured": f"{_HERE}.best_measured:BestMeasuredMix",
        "regmix": f"{_HERE}.regmix:RegmixMix",
        "climb": f"{_HERE}.climb:ClimbMix",
        "random": f"{_HERE}.random_documents:RandomMix",
        "proportional": f"{_HERE}.proportional:ProportionalMix",
        "unimax": f"{_HERE}.unimax:UnimaxMix",
        "top_k": f"{_HERE}.top_k:TopKMix",
        "criteria_mix": f"{_HERE}.criteria_mix:CriteriaMixMix",
        "dsir": f"{_HERE}.dsir:DsirMix",
        "column": f"{_HERE}.column:ColumnMix",
    },
    key="method",
)
