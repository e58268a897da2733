"""The sensor that puts in order, without a hand, what killed runs leave in the instance."""

import dagster as dg

from quadmix_assets.healing import heal


@dg.sensor(
    minimum_interval_seconds=20,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process was killed and frees their slots of the pools, so that "
    "nothing waits for them. Dagster then launches such a run once more. It starts no runs itself.",
)
def heal_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look for runs without a process."""
    done = heal(context.instance, retry=True)
    for sentence in done:
        context.log.warning(sentence)
    return dg.SkipReason("; ".join(done) or "all runs that have not ended have a process")
